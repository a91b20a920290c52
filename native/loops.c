/* The loops over all records of an upload: what antinode/_delivery/core/loops.py says in Python, which is the reference.

   While a list is passed over, nothing runs that could change it: the few calls into Python come last, or are
   followed by a look at the length. */

#include "inert.h"
#include "method.h"
#include "typed.h"

/* The records' fields, or NULL with an error set while it is not known what a record is. */
static const Records *
known(PyObject *module)
{
    const Records *records = PyModule_GetState(module);
    if (records->type == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "call know first");
        return NULL;
    }
    return records;
}

static int
take_place(PyObject *layout, const char *name, Py_ssize_t *place)
{
    PyObject *descriptor = PyDict_GetItemString(layout, name);
    if (descriptor == NULL) {
        PyErr_Format(PyExc_TypeError, "the layout lacks %s", name);
        return -1;
    }
    return (*place = antinode_place_of(descriptor, T_OBJECT_EX)) < 0 ? -1 : 0;
}

/* know(record type, stream queue type, layout): the layout has the descriptors of the slots that are used. */
static PyObject *
know(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyType_Check(args[0]) || !PyType_Check(args[1]) || !PyDict_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "give the type of records, that of stream queues, and a dict");
        return NULL;
    }
    Records found = {.type = (PyTypeObject *)args[0], .queue_type = (PyTypeObject *)args[1]};
    PyObject *layout = args[2];
    if (take_place(layout, "body", &found.body) < 0 || take_place(layout, "stream", &found.stream) < 0
        || take_place(layout, "attempts", &found.attempts) < 0 || take_place(layout, "outcome", &found.outcome) < 0
        || take_place(layout, "callbacks", &found.callbacks) < 0
        || take_place(layout, "queue_records", &found.queue_records) < 0
        || take_place(layout, "queue_is_ready", &found.queue_is_ready) < 0) {
        return NULL;
    }
    Records *records = PyModule_GetState(module);
    Records former = *records;
    Py_INCREF(found.type);
    Py_INCREF(found.queue_type);
    *records = found;
    Py_XDECREF(former.type);
    Py_XDECREF(former.queue_type);
    Py_RETURN_NONE;
}

/* 0 when these are records with their fields set; what no caller gives is TypeError. */
static int
check(const Records *fields, PyObject *record)
{
    if (record == NULL || !PyObject_TypeCheck(record, fields->type)) {
        PyErr_SetString(PyExc_TypeError, "there is something else than a record");
        return -1;
    }
    PyObject *body = *slot(record, fields->body);
    if (body == NULL || !PyBytes_CheckExact(body)) {
        PyErr_SetString(PyExc_TypeError, "a record's body is no bytes");
        return -1;
    }
    return 0;
}

static inline Py_ssize_t
size_of(const Records *fields, PyObject *record)
{
    return PyBytes_GET_SIZE(*slot(record, fields->body));
}

/* -1 with an error set when it is no int: then to ask for its number could run any code. */
static inline long long
attempts_of(const Records *fields, PyObject *record)
{
    PyObject *attempts = *slot(record, fields->attempts);
    if (attempts == NULL || !PyLong_CheckExact(attempts)) {
        PyErr_SetString(PyExc_TypeError, "a record's attempts are no number");
        return -1;
    }
    return PyLong_AsLongLong(attempts);
}

static PyObject *
the_list(PyObject *object)
{
    if (!PyList_CheckExact(object)) {
        PyErr_SetString(PyExc_TypeError, "give a list of records");
        return NULL;
    }
    return object;
}

/* Move the first of a queue to the end of a list, or of another queue by its method `append`: 0, or -1 with an error set. */
static int
move_first(PyObject *popleft, PyObject *list, PyObject *queue, PyObject *append)
{
    PyObject *record = PyObject_CallNoArgs(popleft);
    if (record == NULL) {
        return -1;
    }
    PyObject *done = list != NULL ? (PyList_Append(list, record) < 0 ? NULL : Py_NewRef(Py_None))
                                  : PyObject_CallMethodOneArg(queue, append, record);
    Py_DECREF(record);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* The records that wait in the queue of a stream (a new reference); NULL if it has none, or with an error set. */
static PyObject *
stream_queue_of(const Records *fields, PyObject *stream_queues, PyObject *stream, int *is_ready)
{
    PyObject *stream_queue = PyDict_GET_SIZE(stream_queues) ? PyDict_GetItemWithError(stream_queues, stream) : NULL;
    if (stream_queue == NULL) {
        return NULL;
    }
    PyObject *records = PyObject_TypeCheck(stream_queue, fields->queue_type) ? *slot(stream_queue, fields->queue_records) : NULL;
    if (records == NULL) {
        PyErr_SetString(PyExc_TypeError, "there is something else than a stream queue");
        return NULL;
    }
    *is_ready = *slot(stream_queue, fields->queue_is_ready) == Py_True;
    return Py_NewRef(records);
}

/* An upload that is being filled from a queue. */
typedef struct {
    PyObject *queue, *popleft, *taken;
    Py_ssize_t room, space;
} Filling;

/* From the first four arguments: 0, or -1 with an error set. `popleft` is a new reference. */
static int
begin(Filling *filling, PyObject *const *args)
{
    filling->queue = args[0];
    filling->popleft = NULL;
    if ((filling->taken = the_list(args[1])) == NULL) {
        return -1;
    }
    filling->room = PyLong_AsSsize_t(args[2]);
    filling->space = filling->room == -1 && PyErr_Occurred() ? -1 : PyLong_AsSsize_t(args[3]);
    if (filling->space == -1 && PyErr_Occurred()) {
        return -1;
    }
    filling->popleft = PyObject_GetAttrString(filling->queue, "popleft");
    return filling->popleft == NULL ? -1 : 0;
}

/* The queue's first record, while there is room and one (a new reference); NULL if not, or with an error set. */
static PyObject *
first_of(const Records *fields, const Filling *filling)
{
    if (filling->room <= 0 || PyObject_Size(filling->queue) <= 0) {
        return NULL;
    }
    PyObject *record = PySequence_GetItem(filling->queue, 0);
    if (record != NULL && check(fields, record) < 0) {
        Py_CLEAR(record);
    }
    return record;
}

/* Take the first record, of this size: 1; 0 if it does not fit; -1 with an error set. */
static int
take_first(Filling *filling, Py_ssize_t size)
{
    if (size > filling->space && PyList_GET_SIZE(filling->taken)) {
        return 0;
    }
    filling->space -= size;
    filling->room--;
    return move_first(filling->popleft, filling->taken, NULL, NULL) < 0 ? -1 : 1;
}

static PyObject *
sift(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const Records *fields = known(module);
    if (fields == NULL) {
        return NULL;
    }
    if (count != 7 || !PyAnySet_CheckExact(args[4]) || !PyDict_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "give queue, taken, room, space, a set and a dict of streams, most");
        return NULL;
    }
    PyObject *busy = args[4], *stream_queues = args[5], *record;
    Py_ssize_t most = PyLong_AsSsize_t(args[6]), moved = 0, ready = 0;
    Filling filling;
    PyObject *append = most == -1 && PyErr_Occurred() ? NULL : PyUnicode_InternFromString("append");
    if (append == NULL || begin(&filling, args) < 0) {
        Py_XDECREF(append);
        return NULL;
    }
    while (moved < most && (record = first_of(fields, &filling)) != NULL) {
        Py_ssize_t size = size_of(fields, record) + 1;
        PyObject *stream = Py_XNewRef(*slot(record, fields->stream));
        Py_DECREF(record);
        if (stream == NULL) {
            PyErr_SetString(PyExc_TypeError, "a record has no stream");
            break;
        }
        int is_ready = 0, is_busy = 0;
        PyObject *waiting = stream_queue_of(fields, stream_queues, stream, &is_ready);
        if (waiting == NULL && !PyErr_Occurred() && PySet_GET_SIZE(busy)) {
            is_busy = PySet_Contains(busy, stream);
        }
        Py_DECREF(stream);
        if (is_busy || (waiting == NULL && PyErr_Occurred())) {
            break;
        }
        if (waiting == NULL) {
            if (take_first(&filling, size) <= 0) {
                break;
            }
            continue;
        }
        int has_moved = PyObject_Size(waiting) > 0 && move_first(filling.popleft, NULL, waiting, append) == 0;
        Py_DECREF(waiting);
        if (!has_moved) {
            break;
        }
        moved++;
        ready += is_ready;
    }
    Py_DECREF(append);
    Py_DECREF(filling.popleft);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nnnn", filling.room, filling.space, moved, ready);
}

static PyObject *
drain(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const Records *fields = known(module);
    if (fields == NULL) {
        return NULL;
    }
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "give queue, taken, room and space");
        return NULL;
    }
    Filling filling;
    if (begin(&filling, args) < 0) {
        return NULL;
    }
    PyObject *record;
    while ((record = first_of(fields, &filling)) != NULL) {
        Py_ssize_t size = size_of(fields, record) + 1;
        Py_DECREF(record);
        if (take_first(&filling, size) <= 0) {
            break;
        }
    }
    Py_DECREF(filling.popleft);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nn", filling.room, filling.space);
}

static PyObject *
fitting(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const Records *fields = known(module);
    if (fields == NULL) {
        return NULL;
    }
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "give records, events and size");
        return NULL;
    }
    PyObject *records = the_list(args[0]);
    Py_ssize_t end = records == NULL ? 0 : PyLong_AsSsize_t(args[1]);
    Py_ssize_t size = PyErr_Occurred() ? 0 : PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    end = Py_MIN(end, PyList_GET_SIZE(records));
    Py_ssize_t taken = 0, position = 0;
    for (; position < end; position++) {
        PyObject *record = PyList_GET_ITEM(records, position);
        if (check(fields, record) < 0) {
            return NULL;
        }
        taken += size_of(fields, record) + 1;
        if (taken > size && position) {
            break;
        }
    }
    return PyLong_FromSsize_t(position);
}

static PyObject *
total_size(PyObject *module, PyObject *object)
{
    const Records *fields = known(module);
    PyObject *records = fields == NULL ? NULL : the_list(object);
    if (records == NULL) {
        return NULL;
    }
    Py_ssize_t total = 0;
    for (Py_ssize_t position = 0; position < PyList_GET_SIZE(records); position++) {
        PyObject *record = PyList_GET_ITEM(records, position);
        if (check(fields, record) < 0) {
            return NULL;
        }
        total += size_of(fields, record);
    }
    return PyLong_FromSsize_t(total);
}

static PyObject *
join(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const Records *fields = known(module);
    if (fields == NULL) {
        return NULL;
    }
    if (count != 3 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "give head, records and tail");
        return NULL;
    }
    PyObject *head = args[0], *records = the_list(args[1]), *tail = args[2];
    if (records == NULL) {
        return NULL;
    }
    Py_ssize_t number = PyList_GET_SIZE(records);
    Py_ssize_t total = PyBytes_GET_SIZE(head) + PyBytes_GET_SIZE(tail) + (number ? number - 1 : 0);
    for (Py_ssize_t position = 0; position < number; position++) {
        PyObject *record = PyList_GET_ITEM(records, position);
        if (check(fields, record) < 0) {
            return NULL;
        }
        total += size_of(fields, record);
    }
    PyObject *body = PyBytes_FromStringAndSize(NULL, total);
    if (body == NULL) {
        return NULL;
    }
    char *to = PyBytes_AS_STRING(body);
    memcpy(to, PyBytes_AS_STRING(head), (size_t)PyBytes_GET_SIZE(head));
    to += PyBytes_GET_SIZE(head);
    for (Py_ssize_t position = 0; position < number; position++) {
        PyObject *text = *slot(PyList_GET_ITEM(records, position), fields->body);
        if (position) {
            *to++ = ',';
        }
        memcpy(to, PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text));
        to += PyBytes_GET_SIZE(text);
    }
    memcpy(to, PyBytes_AS_STRING(tail), (size_t)PyBytes_GET_SIZE(tail));
    return body;
}

static PyObject *
streams_of(PyObject *module, PyObject *object)
{
    const Records *fields = known(module);
    PyObject *records = fields == NULL ? NULL : the_list(object);
    PyObject *streams = records == NULL ? NULL : PySet_New(NULL);
    if (streams == NULL) {
        return NULL;
    }
    for (Py_ssize_t position = 0; position < PyList_GET_SIZE(records); position++) {
        PyObject *record = PyList_GET_ITEM(records, position);
        /* Its hash may be anybody's code. */
        PyObject *stream = check(fields, record) < 0 ? NULL : Py_XNewRef(*slot(record, fields->stream));
        int failed = stream == NULL || PySet_Add(streams, stream) < 0;
        Py_XDECREF(stream);
        if (failed) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_TypeError, "a record has no stream");
            }
            Py_DECREF(streams);
            return NULL;
        }
    }
    return streams;
}

static PyObject *
most_attempts(PyObject *module, PyObject *object)
{
    const Records *fields = known(module);
    PyObject *records = fields == NULL ? NULL : the_list(object);
    if (records == NULL) {
        return NULL;
    }
    long long most = 0;
    for (Py_ssize_t position = 0; position < PyList_GET_SIZE(records); position++) {
        PyObject *record = PyList_GET_ITEM(records, position);
        if (check(fields, record) < 0) {
            return NULL;
        }
        long long attempts = attempts_of(fields, record);
        if (attempts == -1 && PyErr_Occurred()) {
            return NULL;
        }
        most = Py_MAX(most, attempts);
    }
    return PyLong_FromLongLong(most);
}

/* Settle one record, or put it with the others: 0, or -1 with an error set. */
static int
deliver_one(const Records *fields, PyObject *record, PyObject *outcome, PyObject *one, PyObject *nothing,
            PyObject *others, PyObject *asked)
{
    if (check(fields, record) < 0) {
        return -1;
    }
    long long attempts = attempts_of(fields, record);
    if (attempts == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (attempts) {
        return PyList_Append(others, record);
    }
    replace(record, fields->attempts, Py_NewRef(one));
    replace(record, fields->outcome, Py_NewRef(outcome));
    if (*slot(record, fields->callbacks) == Py_None) {
        replace(record, fields->body, Py_NewRef(nothing));
        return 0;
    }
    return PyList_Append(asked, record);
}

/* Nothing runs in between that could add a callback, so that one look at them is enough. */
static PyObject *
deliver(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const Records *fields = known(module);
    if (fields == NULL) {
        return NULL;
    }
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "give records and an outcome");
        return NULL;
    }
    PyObject *records = the_list(args[0]), *outcome = args[1];
    PyObject *others = NULL, *asked = NULL, *one = NULL, *nothing = NULL, *both = NULL;
    if (records == NULL || (others = PyList_New(0)) == NULL || (asked = PyList_New(0)) == NULL
        || (one = PyLong_FromLong(1)) == NULL || (nothing = PyBytes_FromStringAndSize(NULL, 0)) == NULL) {
        goto end;
    }
    for (Py_ssize_t position = 0; position < PyList_GET_SIZE(records); position++) {
        /* Held, for what is replaced in it may run code as it goes. */
        PyObject *record = Py_NewRef(PyList_GET_ITEM(records, position));
        int failed = deliver_one(fields, record, outcome, one, nothing, others, asked) < 0;
        Py_DECREF(record);
        if (failed) {
            goto end;
        }
    }
    both = PyTuple_Pack(2, others, asked);
end:
    Py_XDECREF(others);
    Py_XDECREF(asked);
    Py_XDECREF(one);
    Py_XDECREF(nothing);
    return both;
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL

PyMethodDef antinode_pass_methods[] = {
    {"know", FAST(know), PyDoc_STR("Say what records and stream queues are: once, before anything else.")},
    {"sift", FAST(sift), NULL},
    {"drain", FAST(drain), NULL},
    {"fitting", FAST(fitting), NULL},
    {"total_size", total_size, METH_O, NULL},
    {"join", FAST(join), NULL},
    {"streams_of", streams_of, METH_O, NULL},
    {"most_attempts", most_attempts, METH_O, NULL},
    {"deliver", FAST(deliver), NULL},
    {"exceeds", FAST(antinode_exceeds_of), NULL},
    {"reserve", antinode_reserve_for, METH_O, PyDoc_STR("MemoryError if there is not the memory to encode this value.")},
    {"fork_flag", antinode_fork_flag, METH_NOARGS,
     PyDoc_STR("A byte that a fork clears in the child, to be written to; None where there is something better, or no fork.")},
    {"log_method", FAST(antinode_log_method), NULL},
    {"store_frame", FAST(antinode_store_frame), NULL},
    {"whole_frames", FAST(antinode_whole_frames), NULL},
    {"plain_records", FAST(antinode_plain_records), NULL},
    {"keep_held", FAST(antinode_keep_held), NULL},
    {"quicken", antinode_quicken, METH_O, PyDoc_STR("From here on a call of the class goes to its `_maker`.")},
    {"plain_answer", antinode_plain_answer, METH_O, NULL},
#ifndef _WIN32
    {"identity_at", antinode_identity_at, METH_O, NULL},
    {"has_come", antinode_has_come, METH_O, NULL},
    {"send_now", FAST(antinode_send_now), PyDoc_STR("How much of two bytes objects a socket takes without waiting.")},
    {"receive_within", FAST(antinode_receive_within),
     PyDoc_STR("What a socket receives, at most so many bytes; TimeoutError after so many seconds.")},
    {"wait_within", FAST(antinode_wait_within),
     PyDoc_STR("Wait until anything has come; TimeoutError after so many seconds.")},
#endif
    {NULL, NULL, 0, NULL},
};

/* An event is copied and completed for those who may change it: `own_copy` of antinode/_middleware.py and
   `Defaults.fill_in` of antinode/_encoding/defaults.py, which are the reference. What is rare is left to them. */

#include "clocks.h"
#include "log.h"

/* Containers that were met, and their copies: what is shared stays shared, and a circle ends. References of our own, so
   that no other object takes the place of one. */
#define KNOWN 32

typedef struct {
    PyObject *given[KNOWN], *copies[KNOWN];
    int count;
    Py_ssize_t max_layers;
} Memo;

/* 0; -1 when there are too many. */
static int
remember(Memo *memo, PyObject *given, PyObject *copy)
{
    if (memo->count == KNOWN) {
        return -1;
    }
    memo->given[memo->count] = Py_NewRef(given);
    memo->copies[memo->count++] = Py_NewRef(copy);
    return 0;
}

static PyObject *copy_of(Memo *memo, PyObject *value, Py_ssize_t layer);

/* To copy may collect garbage, and that may run any code: what is copied from is never walked through, but a copy of it
   that nobody else has. */

static PyObject *
copy_of_dict(Memo *memo, PyObject *value, Py_ssize_t layer)
{
    PyObject *copy = PyDict_New();
    Py_ssize_t position = 0;
    PyObject *key, *each;
    int failed = copy == NULL || PyDict_Update(copy, value) < 0 || remember(memo, value, copy) < 0;
    while (!failed && PyDict_Next(copy, &position, &key, &each)) {
        PyTypeObject *type = Py_TYPE(each);
        if (type == &PyUnicode_Type || type == &PyLong_Type) {
            continue;
        }
        Py_INCREF(each);
        PyObject *own = copy_of(memo, each, layer + 1);
        /* Only text is compared without running code. */
        failed = own == NULL || (own != each && (!PyUnicode_CheckExact(key) || PyDict_SetItem(copy, key, own) < 0));
        Py_XDECREF(own);
        Py_DECREF(each);
    }
    if (failed) {
        Py_CLEAR(copy);
    }
    return copy;
}

static PyObject *
copy_of_list(Memo *memo, PyObject *value, Py_ssize_t layer)
{
    /* Not a slice, whose size is settled before memory is asked for. */
    PyObject *copy = PySequence_List(value);
    int failed = copy == NULL || remember(memo, value, copy) < 0;
    for (Py_ssize_t at = 0; !failed && at < PyList_GET_SIZE(copy); at++) {
        PyObject *each = Py_NewRef(PyList_GET_ITEM(copy, at));
        PyObject *own = copy_of(memo, each, layer + 1);
        failed = own == NULL || PyList_SetItem(copy, at, own) < 0;
        Py_DECREF(each);
    }
    if (failed) {
        Py_CLEAR(copy);
    }
    return copy;
}

static PyObject *
copy_of_tuple(Memo *memo, PyObject *value, Py_ssize_t layer)
{
    Py_ssize_t size = PyTuple_GET_SIZE(value);
    PyObject *copy = PyTuple_New(size);
    int failed = copy == NULL;
    for (Py_ssize_t at = 0; !failed && at < size; at++) {
        PyObject *own = copy_of(memo, PyTuple_GET_ITEM(value, at), layer + 1);
        failed = own == NULL;
        if (!failed) {
            PyTuple_SET_ITEM(copy, at, own);
        }
    }
    if (failed || remember(memo, value, copy) < 0) {
        Py_CLEAR(copy);
    }
    return copy;
}

/* NULL, with or without an error set, when it is left to Python. */
static PyObject *
copy_of(Memo *memo, PyObject *value, Py_ssize_t layer)
{
    if (!PyDict_Check(value) && !PyList_Check(value) && !PyTuple_Check(value) && !PySet_Check(value)) {
        return Py_NewRef(value);
    }
    for (int at = 0; at < memo->count; at++) {
        if (memo->given[at] == value) {
            return Py_NewRef(memo->copies[at]);
        }
    }
    if (layer > memo->max_layers) {
        return NULL;
    }
    return PyDict_CheckExact(value) ? copy_of_dict(memo, value, layer)
        : PyList_CheckExact(value) ? copy_of_list(memo, value, layer)
        : PyTuple_CheckExact(value) ? copy_of_tuple(memo, value, layer)
                                    : NULL;
}

/* Put what `make` made in a place that may be empty: 0, or -1. */
static int
put(PyObject *event, PyObject *name, PyObject *made)
{
    int failed = made == NULL || PyDict_SetItem(event, name, made) < 0;
    Py_XDECREF(made);
    return failed ? -1 : 0;
}

/* One of the client's own values: 0, or -1 when it is left to Python. */
static int
fill_in_constant(PyObject *event, PyObject *name, PyObject *value)
{
    PyObject *own = PyDict_GetItemWithError(event, name);
    if (own == NULL) {
        return PyErr_Occurred()     ? -1
            : PyDict_Check(value)   ? put(event, name, PyDict_Copy(value))
                                    : PyDict_SetItem(event, name, value);
    }
    if (!PyDict_Check(value) || (PyDict_CheckExact(own) && antinode_begins_as(own, value))) {
        return 0;
    }
    return -1;
}

/* Add what is missing to an event of our own: 0, or -1 when it is left to Python. */
static int
fill_in(Log *self, PyObject *event)
{
    PyObject *time = self->n_roles[TIME], *insert_id = self->n_roles[INSERT_ID];
    PyObject *given = PyDict_GetItemWithError(event, time);
    if (given == NULL) {
        long long now = PyErr_Occurred() ? 0 : antinode_time_ns(self->time_ns) / 1000000;
        if (now <= 0 || put(event, time, PyLong_FromLongLong(now)) < 0) {
            return -1;
        }
    }
    given = PyDict_GetItemWithError(event, insert_id);
    if (given != NULL && !PyUnicode_CheckExact(given)) {
        return -1;
    }
    if (given == NULL || PyUnicode_GET_LENGTH(given) == 0) {
        char text[80];
        unsigned long long number;
        if (PyErr_Occurred() || antinode_next_id(self, &number) < 0 || PyBytes_GET_SIZE(self->prefix) > 50) {
            return -1;
        }
        int size = PyOS_snprintf(text, sizeof text, "%s%llu", PyBytes_AS_STRING(self->prefix), number);
        if (put(event, insert_id, PyUnicode_FromStringAndSize(text, size)) < 0) {
            return -1;
        }
    }
    Py_ssize_t position = 0;
    PyObject *name, *value;
    while (PyDict_Next(self->constants, &position, &name, &value)) {
        if (fill_in_constant(event, name, value) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Whether an event has only text for keys, and no key that counts as absent. */
static int
is_whole(PyObject *event)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(event, &position, &key, &value)) {
        if (!PyUnicode_CheckExact(key) || value == Py_None) {
            return 0;
        }
    }
    return 1;
}

/* A new dict of what an event holds, with what a context (or NULL) has beside it; NULL when it is left to Python, with or
   without an error set. */
static PyObject *
keys_of(Log *self, PyObject *event, PyObject *context)
{
    PyObject *keys = PyDict_New();
    if (keys != NULL && (PyDict_Update(keys, event) < 0 || antinode_add_absent(self, keys, context) < 0)) {
        Py_CLEAR(keys);
    }
    return keys;
}

/* The same of an Event object. */
static PyObject *
keys_of_object(Log *self, PyObject *event)
{
    PyObject *keys = PyDict_New();
    for (const Slot *each = self->slots; keys != NULL && each < self->slots + self->slot_count; each++) {
        PyObject *value = Py_XNewRef(*slot(event, each->at));
        /* A plan or the like may be an object too, and is made a dict in Python. */
        int is_left = value != NULL && value != Py_None
            && ((each->field->type == (PyObject *)&PyDict_Type && !PyDict_Check(value))
                || PyDict_SetItem(keys, each->field->name, value) < 0);
        Py_XDECREF(value);
        if (is_left) {
            Py_CLEAR(keys);
        }
    }
    return keys;
}

PyObject *
antinode_complete(Log *self, PyObject *event, PyObject *context)
{
    PyObject *given = NULL, *copy = NULL;
    if (!self->has_page) {
        Py_RETURN_NONE;
    }
    if (PyDict_CheckExact(event)) {
        if (!is_whole(event)) {
            Py_RETURN_NONE;
        }
        given = context == NULL ? Py_NewRef(event) : keys_of(self, event, context);
    }
    else if (context == NULL && (PyObject *)Py_TYPE(event) == self->event_class) {
        given = keys_of_object(self, event);
    }
    if (given != NULL) {
        Memo memo = {.count = 0, .max_layers = self->max_depth + 1};
        copy = copy_of(&memo, given, 0);
        for (int at = 0; at < memo.count; at++) {
            Py_DECREF(memo.given[at]);
            Py_DECREF(memo.copies[at]);
        }
        Py_DECREF(given);
    }
    if (copy != NULL && is_whole(copy) && fill_in(self, copy) == 0) {
        return copy;
    }
    Py_XDECREF(copy);
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_MemoryError) || !PyErr_ExceptionMatches(PyExc_Exception))) {
        return NULL;
    }
    PyErr_Clear();
    Py_RETURN_NONE;
}

/* The path of an ordinary event, compiled: what EventEncoder.encode, Client.log_event and Core.admit do for a plain dict.

Optional: antinode is complete without it, and the tests run both. It decides nothing of its own. Whatever is not
plainly ordinary (an odd type, an unknown id, a missing field) makes it return None before anything has changed,
and the Python code, which is the reference, does the whole event.

Needs the GIL: it is what makes the counts and the queue change together. */

#include "chain.h"
#include "clocks.h"
#include "guard.h"
#include "json.h"
#include "log.h"
#include "method.h"

/* What the Python code has to give, in a dict: objects, numbers, and descriptors of slots, of which only the places are
   kept. The names are those of the layout in antinode/_hot_path.py, and stand nowhere else in C. */
typedef enum { OBJECT, MAYBE_NONE, NUMBER, SIZE, SLOT, COUNT } Kind;

typedef struct {
    const char *name;
    Kind kind;
    size_t at;
} Given;

#define AT(member) offsetof(Log, member)

static const Given layout[] = {
    {"plain", OBJECT, AT(plain)},
    {"integers", OBJECT, AT(integers)},
    {"numbers", OBJECT, AT(numbers)},
    {"groups", OBJECT, AT(groups)},
    {"max_group_types", SIZE, AT(max_group_types)},
    {"max_group_values", SIZE, AT(max_group_values)},
    {"constants", OBJECT, AT(constants)},
    {"event_class", OBJECT, AT(event_class)},
    {"event_slots", OBJECT, AT(event_slots)},
    {"typed_class", OBJECT, AT(typed_class)},
    {"typed_event", SLOT, AT(at_typed_event)},
    {"is_plain", OBJECT, AT(is_plain)},
    {"event_types", OBJECT, AT(event_types)},
    {"is_good_type", OBJECT, AT(is_good_type)},
    {"min_id_length", SIZE, AT(min_id_length)},
    {"invalid_ids", OBJECT, AT(invalid_ids)},
    {"ids", OBJECT, AT(ids)},
    {"is_good_id", OBJECT, AT(is_good_id)},
    {"is_near", OBJECT, AT(is_near)},
    {"encoder", OBJECT, AT(encoder)},
    {"tomorrow", SLOT, AT(at_tomorrow)},
    {"group_identify", OBJECT, AT(group_identify)},
    {"earliest", NUMBER, AT(earliest)},
    {"max_depth", SIZE, AT(max_depth)},
    {"max_string", SIZE, AT(max_string)},
    {"max_properties", SIZE, AT(max_properties)},
    {"max_event_bytes", SIZE, AT(max_event_bytes)},
    {"dumps", OBJECT, AT(dumps)},
    {"inert_copy", OBJECT, AT(inert_copy)},
    {"uuid_type", OBJECT, AT(uuid_type)},
    {"time_ns", OBJECT, AT(time_ns)},
    {"counter", OBJECT, AT(counter)},
    {"make_prefix", OBJECT, AT(make_prefix)},
    {"tail", OBJECT, AT(tail)},
    {"page", OBJECT, AT(page_owner)},
    {"context", OBJECT, AT(context)},
    {"context_type", OBJECT, AT(context_type)},
    {"context_fields", SLOT, AT(at_context_fields)},
    {"record_type", OBJECT, AT(record_type)},
    {"monotonic", OBJECT, AT(monotonic)},
    {"lifetime", OBJECT, AT(lifetime)},
    {"wakeup", OBJECT, AT(wakeup)},
    {"threshold", SLOT, AT(at_threshold)},
    {"submit", MAYBE_NONE, AT(submit)},
    {"ring", OBJECT, AT(ring)},
    {"overflow", OBJECT, AT(overflow)},
    {"drop_unmade", OBJECT, AT(drop_unmade)},
    {"unmade_record", OBJECT, AT(unmade)},
    {"stored", MAYBE_NONE, AT(stored)},
    {"chained", MAYBE_NONE, AT(chained)},
    {"guard", OBJECT, AT(guard_owner)},
    {"ledger", OBJECT, AT(ledger)},
    {"queue", OBJECT, AT(queue)},
    {"max_events", NUMBER, AT(max_events)},
    {"max_bytes", NUMBER, AT(max_bytes)},
    {"record_epoch", SLOT, AT(at_record_epoch)},
    {"epoch", SLOT, AT(at_epoch)},
    {"epoch_accepted", SLOT, AT(at_epoch_accepted)},
    {"accepted", COUNT, AT(at_accepted)},
    {"pending", COUNT, AT(at_pending)},
    {"pending_bytes", COUNT, AT(at_pending_bytes)},
    {"unmade", COUNT, AT(at_unmade)},
    {"is_closed", SLOT, AT(at_is_closed)},
};

static const Given stored_layout[] = {
    {"spooled", OBJECT, AT(spooled)},
    {"append", OBJECT, AT(append_stored)},
    {"admit_late", OBJECT, AT(admit_late)},
    {"memory_events", NUMBER, AT(memory_events)},
    {"memory_bytes", NUMBER, AT(memory_bytes)},
    {"record_place", SLOT, AT(at_record_place)},
    {"on_disk", COUNT, AT(at_on_disk)},
    {"on_disk_bytes", COUNT, AT(at_on_disk_bytes)},
    {"epoch_on_disk", SLOT, AT(at_epoch_on_disk)},
    {"recent", OBJECT, AT(recent)},
    {"look", OBJECT, AT(look)},
    {"is_admitting", SLOT, AT(at_is_admitting)},
    {"is_behind", SLOT, AT(at_is_behind)},
    {"rear", SLOT, AT(at_rear)},
    {"has_ended", SLOT, AT(at_has_ended)},
    {"interrupting", SLOT, AT(at_interrupting)},
    {"mapped", MAYBE_NONE, AT(mapped)},
};

static const Given mapped_layout[] = {
    {"spool", OBJECT, AT(spool)},
    {"mapped_type", OBJECT, AT(mapped_type)},
    {"buffered", SLOT, AT(at_buffered)},
    {"taken", SLOT, AT(at_taken)},
    {"current", SLOT, AT(at_current)},
    {"map", SLOT, AT(at_map)},
    {"end", SLOT, AT(at_end)},
    {"count", SLOT, AT(at_count)},
    {"limit", SLOT, AT(at_limit)},
    {"slots", SLOT, AT(at_slots)},
    {"salt", SLOT, AT(at_salt)},
    {"base", SLOT, AT(at_base)},
};

static const Given chained_layout[] = {
    {"chain", OBJECT, AT(chain)},
    {"payload_type", OBJECT, AT(payload_type)},
    {"broken_type", OBJECT, AT(broken_type)},
    {"payload_event", SLOT, AT(at_payload_event)},
    {"record_passed", OBJECT, AT(record_passed)},
    {"refuse_broken", OBJECT, AT(refuse_broken)},
    {"skip_held_back", OBJECT, AT(skip_held_back)},
};

#define MANY(table) (sizeof(table) / sizeof *(table))

/* Objects that are held beside those of the layouts. */
#define HELD(X) X(prefix) X(acquire) X(release) X(guard) X(append) X(moment)

/* Whether a fork has been noticed, if there was one. */
static int
is_fresh(Log *self)
{
    return ((const volatile char *)self->page.buf)[0] != 0;
}

/* Log an event with what a context (or NULL) has for it; None when it is left to Python. */
static PyObject *
log_with(Log *self, PyObject *event, PyObject *context)
{
    Roles roles = {0};
    PyObject *stream = NULL, *now = NULL, *record = NULL;
    int is_over = 0;
    PyObject *body = antinode_encode(self, event, context, &roles);
    if (body == NULL || (stream = antinode_stream_of(self, &roles)) == NULL
        || (now = antinode_moment(self->monotonic, &self->moment)) == NULL) {
        goto end;
    }
    if (*slot(self->lifetime, self->at_is_closed) != Py_False) {
        goto end;
    }
    PyObject *fields[3] = {body, stream, now};
    record = PyObject_Vectorcall(self->record_type, fields, 3, NULL);
    if (record != NULL) {
        self->taken++;
        if (antinode_deliver(self, record, body, now) < 0) {
            /* It may have been taken: what was raised is a signal handler's, or a defect, and not for a second try. */
            Py_CLEAR(record);
            is_over = !PyErr_ExceptionMatches(PyExc_MemoryError);
        }
    }
end:
    Py_XDECREF(body);
    Py_XDECREF(stream);
    Py_XDECREF(now);
    antinode_let_go(&roles);
    return record != NULL ? record : is_over ? NULL : antinode_not_here(self);
}

PyObject *
antinode_log_ready(Log *self, PyObject *event)
{
    if (!is_fresh(self) || !antinode_may_encode(self, event)) {
        Py_RETURN_NONE;
    }
    return log_with(self, event, NULL);
}

static PyObject *log_event(Log *self, PyObject *event, PyObject *extra);

/* Log the dict that a typed event is made of; None when this is none. */
static PyObject *
log_typed(Log *self, PyObject *typed, PyObject *extra)
{
    PyObject *event = PyObject_TypeCheck(typed, (PyTypeObject *)self->typed_class) ? *slot(typed, self->at_typed_event) : NULL;
    if (event == NULL || !PyDict_CheckExact(event)) {
        Py_RETURN_NONE;
    }
    Py_INCREF(event);
    PyObject *record = log_event(self, event, extra);
    Py_DECREF(event);
    return record;
}

static PyObject *
log_event(Log *self, PyObject *event, PyObject *extra)
{
    PyObject *fields;
    if (!is_fresh(self)) {
        Py_RETURN_NONE;
    }
    if (!antinode_may_encode(self, event)) {
        return log_typed(self, event, extra);
    }
    if (antinode_fields_for(self, event, &fields) < 0) {
        return antinode_not_here(self);
    }
    PyObject *record = self->chained == NULL ? log_with(self, event, fields) : antinode_lead(self, event, fields, extra);
    Py_XDECREF(fields);
    return record;
}

static PyObject *
Log_vectorcall(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    if ((count != 1 && count != 2) || (names != NULL && PyTuple_GET_SIZE(names))) {
        PyErr_SetString(PyExc_TypeError, "give one event, and what the middleware is to have beside it");
        return NULL;
    }
    return log_event((Log *)self, args[0], count == 2 ? args[1] : Py_None);
}

static PyObject *
Log_log_ready(PyObject *self, PyObject *event)
{
    return antinode_log_ready((Log *)self, event);
}

static PyObject *
Log_encode(PyObject *object, PyObject *event)
{
    Log *self = (Log *)object;
    Roles roles = {0};
    PyObject *body = self->has_page && antinode_may_encode(self, event) ? antinode_encode(self, event, NULL, &roles) : NULL;
    PyObject *stream = body == NULL ? NULL : antinode_stream_of(self, &roles);
    antinode_let_go(&roles);
    if (stream == NULL) {
        Py_XDECREF(body);
        return PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError) ? NULL : antinode_not_here(self);
    }
    PyObject *encoded = PyTuple_Pack(2, body, stream);
    Py_DECREF(body);
    Py_DECREF(stream);
    return encoded;
}

static PyObject *
Log_complete(PyObject *self, PyObject *event)
{
    return antinode_complete((Log *)self, event, NULL);
}

/* -1 with an error set. */
static int
take_one(Log *self, const Given *wanted, PyObject *value)
{
    char *to = (char *)self + wanted->at;
    if (wanted->kind == SLOT || wanted->kind == COUNT) {
        *(Py_ssize_t *)to = antinode_place_of(value, wanted->kind == SLOT ? T_OBJECT_EX : T_LONGLONG);
        return *(Py_ssize_t *)to < 0 ? -1 : 0;
    }
    if (wanted->kind == NUMBER || wanted->kind == SIZE) {
        long long number = PyLong_AsLongLong(value);
        if (number == -1 && PyErr_Occurred()) {
            return -1;
        }
        if (wanted->kind == NUMBER) {
            *(long long *)to = number;
        }
        else {
            *(Py_ssize_t *)to = (Py_ssize_t)number;
        }
        return 0;
    }
    if (wanted->kind == OBJECT || value != Py_None) {
        *(PyObject **)to = Py_NewRef(value);
    }
    return 0;
}

/* Take everything from a layout, in which there must be nothing else; -1 with an error set. */
static int
take_layout(Log *self, PyObject *given, const Given *wanted, size_t many)
{
    if (!PyDict_CheckExact(given)) {
        PyErr_SetString(PyExc_TypeError, "a layout is a dict");
        return -1;
    }
    for (const Given *end = wanted + many; wanted < end; wanted++) {
        PyObject *value = PyDict_GetItemString(given, wanted->name);
        if (value == NULL) {
            PyErr_Format(PyExc_TypeError, "the layout lacks %s", wanted->name);
            return -1;
        }
        if (take_one(self, wanted, value) < 0) {
            return -1;
        }
    }
    if ((size_t)PyDict_GET_SIZE(given) != many) {
        PyErr_Format(PyExc_TypeError, "of %zd names in the layout, %zu are known", PyDict_GET_SIZE(given), many);
        return -1;
    }
    return 0;
}

/* What follows from what was given; -1 with an error set. */
static int
get_ready(Log *self)
{
    if (!PyAnySet_CheckExact(self->event_types) || !PyAnySet_CheckExact(self->ids)
        || !PyBytes_CheckExact(self->tail) || (self->chained != NULL && !antinode_is_chain(self->chain)) || !PyType_Check(self->record_type)
        || !PyType_Check(self->typed_class) || (self->recent != NULL && !PyList_CheckExact(self->recent)) || !PyUnicode_Check(self->group_identify)) {
        PyErr_SetString(PyExc_TypeError, "the layout is not as this was compiled for");
        return -1;
    }
    if (PyObject_GetBuffer(self->page_owner, &self->page, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    self->has_page = 1;
    Py_SETREF(self->time_ns, antinode_own_clock(self->time_ns, "time_ns"));
    Py_SETREF(self->monotonic, antinode_own_clock(self->monotonic, "monotonic"));
    if (Py_TYPE(self->guard_owner)->tp_dealloc == antinode_guard_dealloc()) {
        self->guard = Py_NewRef(self->guard_owner);
    }
    return antinode_prepare_events(self) < 0
            || (self->acquire = PyObject_GetAttrString(self->guard_owner, "acquire")) == NULL
            || (self->release = PyObject_GetAttrString(self->guard_owner, "release")) == NULL
            || (self->append = PyObject_GetAttrString(self->queue, "append")) == NULL
        ? -1 : 0;
}

/* Log(layout) */
static PyObject *
Log_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"layout", NULL};
    PyObject *given;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &given)) {
        return NULL;
    }
    Log *self = (Log *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = Log_vectorcall;
    if (take_layout(self, given, layout, MANY(layout)) < 0
        || (self->chained != NULL && take_layout(self, self->chained, chained_layout, MANY(chained_layout)) < 0)
        || (self->stored != NULL && take_layout(self, self->stored, stored_layout, MANY(stored_layout)) < 0)
        || (self->mapped != NULL && take_layout(self, self->mapped, mapped_layout, MANY(mapped_layout)) < 0)
        || get_ready(self) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* The objects of a layout, one after the other. */
static PyObject **
next_object(Log *self, const Given *table, size_t many, size_t *at)
{
    while (*at < many) {
        const Given *each = &table[(*at)++];
        if (each->kind == OBJECT || each->kind == MAYBE_NONE) {
            return (PyObject **)((char *)self + each->at);
        }
    }
    return NULL;
}

static int
Log_traverse(PyObject *object, visitproc visit, void *arg)
{
    Log *self = (Log *)object;
    PyObject **object_at;
    for (size_t at = 0; (object_at = next_object(self, layout, MANY(layout), &at)) != NULL;) {
        Py_VISIT(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, stored_layout, MANY(stored_layout), &at)) != NULL;) {
        Py_VISIT(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, chained_layout, MANY(chained_layout), &at)) != NULL;) {
        Py_VISIT(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, mapped_layout, MANY(mapped_layout), &at)) != NULL;) {
        Py_VISIT(*object_at);
    }
#define VISIT(name) Py_VISIT(self->name);
    HELD(VISIT)
#undef VISIT
    for (int at = 0; at < FIELD_ROOM; at++) {
        Py_VISIT(self->fields[at].type);
    }
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int
Log_clear(PyObject *object)
{
    Log *self = (Log *)object;
    /* Of what was cleared, nothing may be called any more. */
    static const char none = 0;
    if (self->has_page) {
        self->has_page = 0;
        PyBuffer_Release(&self->page);
        self->page.buf = (void *)&none;
    }
    PyObject **object_at;
    for (size_t at = 0; (object_at = next_object(self, layout, MANY(layout), &at)) != NULL;) {
        Py_CLEAR(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, stored_layout, MANY(stored_layout), &at)) != NULL;) {
        Py_CLEAR(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, chained_layout, MANY(chained_layout), &at)) != NULL;) {
        Py_CLEAR(*object_at);
    }
    for (size_t at = 0; (object_at = next_object(self, mapped_layout, MANY(mapped_layout), &at)) != NULL;) {
        Py_CLEAR(*object_at);
    }
#define CLEAR(name) Py_CLEAR(self->name);
    HELD(CLEAR)
#undef CLEAR
    for (int at = 0; at < TYPE_ROOM; at++) {
        Py_CLEAR(self->recent_types[at]);
    }
    PyMem_Free(self->scratch);
    self->scratch = NULL;
    PyMem_Free(self->id_list);
    self->id_list = NULL;
    antinode_clear_fields(self);
    for (int role = 0; role < ROLES; role++) {
        Py_CLEAR(self->n_roles[role]);
    }
    Py_CLEAR(self->n_event_properties);
    Py_CLEAR(self->n_groups);
    return 0;
}

static void
Log_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Log_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

int
antinode_is_log(PyObject *object)
{
    return Py_TYPE(object)->tp_dealloc == Log_dealloc;
}

PyObject *
antinode_log_event(PyObject *log, PyObject *event, PyObject *extra)
{
    return log_event((Log *)log, event, extra);
}

static PyMethodDef Log_methods[] = {
    {"log_ready", Log_log_ready, METH_O,
     PyDoc_STR("Logs an event that has been through contexts and middleware, as the type does.")},
    {"encode", Log_encode, METH_O,
     PyDoc_STR("The event's final bytes and its stream, or None when it is not plainly ordinary.")},
    {"complete", Log_complete, METH_O,
     PyDoc_STR("A deep copy of the event with all that it lacks, or None when that is left to Python.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef Log_members[] = {
    {"taken", T_ULONGLONG, offsetof(Log, taken), READONLY, PyDoc_STR("How many events it has logged.")},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Log, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Log_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Logs an ordinary event of one client: its Delivery, or None if it is not ordinary.")},
    {Py_tp_new, Log_new},
    {Py_tp_dealloc, Log_dealloc},
    {Py_tp_traverse, Log_traverse},
    {Py_tp_clear, Log_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_methods, Log_methods},
    {Py_tp_members, Log_members},
    {0, NULL},
};

PyType_Spec antinode_log_spec = {
    .name = "antinode._native.Log",
    .basicsize = sizeof(Log),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Log_slots,
};

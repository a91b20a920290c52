/* An ordinary event is checked and encoded: what EventEncoder.encode does for a plain dict. */

#include "clocks.h"
#include "inert.h"
#include "json.h"
#include "log.h"

/* The answer of a check that would have to run Python code and may not: the event has to be copied first. */
#define MUST_CALL (-2)

/* 1: yes; 0: no, the slow path has to look; -1: an error is set; or MUST_CALL. */
static inline int
is_known(PyObject *set, PyObject *value, PyObject *check, int may_call)
{
    if (!may_call && !PyUnicode_CheckExact(value)) {
        return MUST_CALL;
    }
    int is_in = PySet_Contains(set, value);
    if (is_in != 0) {
        return is_in;
    }
    if (!may_call) {
        return MUST_CALL;
    }
    PyObject *answer = PyObject_CallOneArg(check, value);
    if (answer == NULL) {
        return -1;
    }
    int is_good = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return is_good;
}

/* The same for an event type. */
static inline int
is_type(Log *self, PyObject *value, int may_call)
{
    PyObject **recent = &self->recent_types[((uintptr_t)value >> 5) % TYPE_ROOM];
    if (*recent == value) {
        return 1;
    }
    int is_good = is_known(self->event_types, value, self->is_good_type, may_call);
    if (is_good == 1) {
        Py_XSETREF(*recent, Py_NewRef(value));
    }
    return is_good;
}

/* The same for an id, without a call into Python for each new user. */
static inline int
is_id(Log *self, PyObject *value, int may_call)
{
    int is_good = antinode_is_good_id(value, self->min_id_length, self->id_list);
    return is_good >= 0 ? is_good : is_known(self->ids, value, self->is_good_id, may_call);
}

/* The field of this name; NULL if there is none, or with an error set. */
static inline const Field *
field_of(Log *self, PyObject *name)
{
    Py_hash_t hash = ((PyASCIIObject *)name)->hash;
    if (hash == -1) {
        hash = PyObject_Hash(name);
    }
    if (hash == -1) {
        return NULL;
    }
    const Field *field;
    for (size_t at = (size_t)hash % FIELD_ROOM; (field = &self->fields[at])->name != NULL; at = (at + 1) % FIELD_ROOM) {
        if (field->name == name) {
            return field;
        }
    }
    for (size_t at = (size_t)hash % FIELD_ROOM; (field = &self->fields[at])->name != NULL; at = (at + 1) % FIELD_ROOM) {
        int order = PyUnicode_Compare(field->name, name);
        if (order == 0) {
            return field;
        }
    }
    return NULL;
}

/* -1 with an error set. */
static int
add_field(Log *self, PyObject *name, PyObject *type, Check check)
{
    Py_hash_t hash = PyObject_Hash(name);
    if (hash == -1 || !PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name)) {
        PyErr_SetString(PyExc_TypeError, "a field's name is no ASCII text");
        return -1;
    }
    size_t at = (size_t)hash % FIELD_ROOM;
    while (self->fields[at].name != NULL) {
        at = (at + 1) % FIELD_ROOM;
    }
    Field *field = &self->fields[at];
    field->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&field->name);
    field->type = Py_XNewRef(type);
    field->check = check;
    field->key_size = PyUnicode_GET_LENGTH(name) + 3;
    if (field->key_size > WRITER_SLACK / 2 || (field->key = PyMem_Malloc((size_t)field->key_size)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    field->key[0] = '"';
    memcpy(field->key + 1, PyUnicode_1BYTE_DATA(name), (size_t)field->key_size - 3);
    memcpy(field->key + field->key_size - 2, "\":", 2);
    while (field->role < ROLES && PyUnicode_Compare(name, self->n_roles[field->role]) != 0) {
        field->role++;
    }
    return 0;
}

static int
add_fields(Log *self, PyObject *mapping, Check check)
{
    Py_ssize_t position = 0;
    PyObject *name, *value;
    if (!PyDict_CheckExact(mapping) || PyDict_GET_SIZE(mapping) > FIELD_ROOM / 4) {
        PyErr_SetString(PyExc_TypeError, "the fields are no dict, or too many");
        return -1;
    }
    while (PyDict_Next(mapping, &position, &name, &value)) {
        if (add_field(self, name, value, check) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
make_fields(Log *self)
{
    self->constant_count = PyDict_Check(self->constants) ? PyDict_GET_SIZE(self->constants) : 0;
    return add_fields(self, self->plain, IS_OF_TYPE) < 0 || add_fields(self, self->integers, IS_INTEGER) < 0
            || add_fields(self, self->numbers, IS_NUMBER) < 0 || add_fields(self, self->groups, IS_GROUPS) < 0
            || add_fields(self, self->constants, IS_CONSTANT) < 0
        ? -1 : 0;
}

/* The fields of Event objects and where they lie; -1 with an error set. */
static int
find_slots(Log *self)
{
    Py_ssize_t position = 0;
    PyObject *name, *descriptor;
    if (!PyType_Check(self->event_class) || !PyDict_CheckExact(self->event_slots)
        || PyDict_GET_SIZE(self->event_slots) > SLOT_ROOM) {
        PyErr_SetString(PyExc_TypeError, "the slots of events are no dict, or too many");
        return -1;
    }
    while (PyDict_Next(self->event_slots, &position, &name, &descriptor)) {
        Slot *each = &self->slots[self->slot_count++];
        each->field = field_of(self, name);
        each->at = antinode_place_of(descriptor, T_OBJECT_EX);
        if (each->field == NULL || each->at < 0) {
            PyErr_Format(PyExc_TypeError, "%R is no field that an event has a slot for", name);
            return -1;
        }
    }
    return 0;
}

void
antinode_clear_fields(Log *self)
{
    for (int at = 0; at < FIELD_ROOM; at++) {
        Field *field = &self->fields[at];
        Py_CLEAR(field->name);
        Py_CLEAR(field->type);
        PyMem_Free(field->key);
        field->key = NULL;
    }
}

int
antinode_begins_as(PyObject *value, PyObject *start)
{
    Py_ssize_t position = 0, wanted_position = 0;
    PyObject *key, *wanted;
    while (PyDict_Next(start, &wanted_position, &wanted, NULL)) {
        if (!PyDict_Next(value, &position, &key, NULL) || !PyUnicode_CheckExact(key) || PyUnicode_Compare(key, wanted) != 0) {
            return 0;
        }
    }
    return 1;
}

static inline int
is_int64(PyObject *value)
{
    int is_beyond;
    (void)antinode_int64(value, &is_beyond);
    return !is_beyond;
}

/* As `_has_plain_groups` of the encoder. */
static int
are_groups(Log *self, PyObject *groups)
{
    Py_ssize_t position = 0, count = 0;
    PyObject *names;
    if (!PyDict_CheckExact(groups) || PyDict_GET_SIZE(groups) > self->max_group_types) {
        return 0;
    }
    while (PyDict_Next(groups, &position, NULL, &names)) {
        if (PyUnicode_CheckExact(names)) {
            count++;
            continue;
        }
        if ((!PyList_CheckExact(names) && !PyTuple_CheckExact(names)) || PySequence_Fast_GET_SIZE(names) == 0) {
            return 0;
        }
        for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(names); at++) {
            if (!PyUnicode_CheckExact(PySequence_Fast_GET_ITEM(names, at))) {
                return 0;
            }
        }
        count += PySequence_Fast_GET_SIZE(names);
    }
    return count <= self->max_group_values;
}

/* Whether a field's value needs no more than encoding, as far as can be told here. */
static inline int
fits(Log *self, const Field *field, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    switch (field->check) {
    case IS_OF_TYPE:
        return field->type == (PyObject *)type;
    case IS_NUMBER:
        if (type == &PyFloat_Type) {
            return -0x1p63 <= PyFloat_AS_DOUBLE(value) && PyFloat_AS_DOUBLE(value) < 0x1p63;
        }
        return type == &PyLong_Type && is_int64(value);
    case IS_INTEGER:
        return type == &PyLong_Type && is_int64(value);
    case IS_GROUPS:
        return are_groups(self, value);
    case IS_CONSTANT:
        return type == Py_TYPE(field->type) && (type != &PyDict_Type || antinode_begins_as(value, field->type));
    }
    return 0;
}

/* Whether all values need no more than encoding: 1, 0, or -1 with an error set. Finds the values that have a role. Checks
   may call: the event is a copy that nobody else changes. */
static int
are_plain(Log *self, PyObject *event, Roles *roles)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(event, &position, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            return 0;
        }
        const Field *field = field_of(self, key);
        if (field == NULL && PyErr_Occurred()) {
            return -1;
        }
        if (field != NULL && field->role != NO_ROLE) {
            Py_XSETREF(roles->values[field->role], Py_NewRef(value));
        }
        if (field != NULL && fits(self, field, value)) {
            continue;
        }
        Py_INCREF(key);
        Py_INCREF(value);
        PyObject *answer = PyObject_CallFunctionObjArgs(self->is_plain, key, value, NULL);
        Py_DECREF(key);
        Py_DECREF(value);
        int is_good = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (is_good <= 0) {
            return is_good;
        }
    }
    return 1;
}

static int
is_good_time(Log *self, PyObject *value, int may_call)
{
    int is_beyond;
    long long milliseconds = antinode_int64(value, &is_beyond);
    if (is_beyond) {
        return 0;
    }
    long long tomorrow = antinode_count_at(self->encoder, self->at_tomorrow);
    if (tomorrow == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (self->earliest <= milliseconds && milliseconds <= tomorrow) {
        return 1;
    }
    if (!may_call) {
        return MUST_CALL;
    }
    /* This moves tomorrow with the clock. */
    PyObject *answer = PyObject_CallOneArg(self->is_near, value);
    int is_near = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_near;
}

/* Whether what has a role is good: 1, 0, -1 with an error set, or MUST_CALL. */
static int
are_good(Log *self, const Roles *roles)
{
    int may_call = roles->may_call, is_good;
    PyObject *event_type = roles->values[EVENT_TYPE], *insert_id = roles->values[INSERT_ID], *time = roles->values[TIME];
    PyObject *user_id = roles->values[USER_ID], *device_id = roles->values[DEVICE_ID];
    if (event_type == NULL || (insert_id != NULL && PyUnicode_GET_LENGTH(insert_id) == 0)) {
        return 0;
    }
    if ((is_good = is_type(self, event_type, may_call)) <= 0
        || (user_id != NULL && (is_good = is_id(self, user_id, may_call)) <= 0)
        || (device_id != NULL && (is_good = is_id(self, device_id, may_call)) <= 0)
        || (time != NULL && (is_good = is_good_time(self, time, may_call)) <= 0)) {
        return is_good;
    }
    return user_id != NULL || device_id != NULL || PyUnicode_Compare(event_type, self->group_identify) == 0;
}

/* What a context has for a field whose keys are merged with the event's; NULL if nothing. */
static PyObject *
to_merge(Log *self, const Field *field, PyObject *value, PyObject *context)
{
    if (field == NULL || !PyDict_CheckExact(value)
        || (field->name != self->n_event_properties && field->name != self->n_groups)) {
        return NULL;
    }
    PyObject *outer = PyDict_GetItemWithError(context, field->name);
    PyErr_Clear();
    return outer != NULL && PyDict_CheckExact(outer) ? outer : NULL;
}

/* One field of an event under way, merged with what a context (or NULL) has for it. What was judged is not judged
   again. */
static inline int
write_field(Log *self, Writer *writer, Roles *roles, const Field *field, PyObject *key, PyObject *value,
            PyObject *context)
{
    if (!roles->may_call) {
        if (field != NULL && field->role != NO_ROLE) {
            Py_XSETREF(roles->values[field->role], Py_NewRef(value));
        }
        if (field == NULL || !fits(self, field, value)) {
            return MUST_CALL;
        }
    }
    if (antinode_room(writer, 0) < 0) {
        return -1;
    }
    if (field != NULL) {
        antinode_put(writer, field->key, field->key_size);
    }
    else {
        if (antinode_write(writer, key, 0) < 0) {
            return -1;
        }
        *writer->to++ = ':';
    }
    PyObject *outer = context == NULL ? NULL : to_merge(self, field, value, context);
    int written = outer == NULL ? antinode_write(writer, value, self->max_depth)
                                : antinode_write_both(writer, value, outer, self->max_depth);
    if (written <= 0) {
        return written == NOT_INERT ? MUST_CALL : -1;
    }
    if (antinode_room(writer, 0) < 0) {
        return -1;
    }
    *writer->to++ = ',';
    return 1;
}

/* Write the fields that an event has not, and a context has; `constants` is as in write_fields, which says the rest. */
static int
write_absent(Log *self, Writer *writer, PyObject *event, PyObject *context, Roles *roles, Py_ssize_t *constants)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    int written = 1;
    if ((writer->properties += PyDict_GET_SIZE(context)) > writer->max_properties) {
        return -1;
    }
    while (written > 0 && PyDict_Next(context, &position, &key, &value)) {
        if (PyDict_GetItemWithError(event, key) != NULL) {
            continue;
        }
        const Field *field = PyErr_Occurred() ? NULL : field_of(self, key);
        if (field == NULL && PyErr_Occurred()) {
            return -1;
        }
        *constants += field != NULL && field->check == IS_CONSTANT;
        written = write_field(self, writer, roles, field, key, value, NULL);
    }
    return written;
}

/* Write the fields of an event, and those that a context (or NULL) has beside them, without the closing brace: 1, 0 when the slow path has to look, -1 with or without an
   error set for the same, or MUST_CALL when it has to be copied first. Runs no code, so that nothing can change
   meanwhile. `has_constants` says whether the event brings the client's. */
static int
write_fields(Log *self, Writer *writer, PyObject *event, PyObject *context, Roles *roles, int *has_constants)
{
    Py_ssize_t position = 0, constants = 0;
    PyObject *key, *value;
    int written = 1;
    if (antinode_room(writer, 0) < 0) {
        return -1;
    }
    *writer->to++ = '{';
    if (PyDict_CheckExact(event)) {
        if ((writer->properties = PyDict_GET_SIZE(event)) > writer->max_properties) {
            return -1;
        }
        while (written > 0 && PyDict_Next(event, &position, &key, &value)) {
            const Field *field = NULL;
            if (!PyUnicode_CheckExact(key) || ((field = field_of(self, key)) == NULL && PyErr_Occurred())) {
                return 0;
            }
            constants += field != NULL && field->check == IS_CONSTANT;
            written = write_field(self, writer, roles, field, key, value, context);
        }
        if (written > 0 && context != NULL) {
            written = write_absent(self, writer, event, context, roles, &constants);
        }
    }
    else {
        for (const Slot *each = self->slots; written > 0 && each < self->slots + self->slot_count; each++) {
            value = *slot(event, each->at);
            if (value != NULL && value != Py_None) {
                writer->properties++;
                constants += each->field->check == IS_CONSTANT;
                written = write_field(self, writer, roles, each->field, each->field->name, value, NULL);
            }
        }
    }
    if (written <= 0) {
        return written;
    }
    *has_constants = constants > 0;
    if (writer->to[-1] != ',' || (constants > 0 && constants < self->constant_count)) {
        return 0;
    }
    writer->to--;
    return roles->may_call ? 1 : are_good(self, roles);
}

static const char TIME_TEXT[] = ",\"time\":";
static const char INSERT_ID_TEXT[] = ",\"insert_id\":\"";
#define LENGTH(text) ((Py_ssize_t)sizeof(text) - 1)

int
antinode_next_id(Log *self, unsigned long long *number)
{
    if (self->prefix == NULL) {
        PyObject *prefix = PyObject_CallNoArgs(self->make_prefix);
        if (prefix != NULL && !PyBytes_CheckExact(prefix)) {
            Py_CLEAR(prefix);
        }
        Py_XSETREF(self->prefix, prefix);
    }
    PyObject *next = self->prefix == NULL ? NULL : PyIter_Next(self->counter);
    *number = next == NULL ? 0 : PyLong_AsUnsignedLongLong(next);
    Py_XDECREF(next);
    return next == NULL || PyErr_Occurred() ? -1 : 0;
}

/* Add what the event lacks: 0, or -1 when the slow path has to look. */
static int
complete(Log *self, Writer *writer, const Roles *roles, int has_constants)
{
    if (roles->values[TIME] == NULL) {
        long long now = antinode_time_ns(self->time_ns) / 1000000;
        if (now <= 0 || antinode_room(writer, LENGTH(TIME_TEXT) + 20) < 0) {
            return -1;
        }
        antinode_put(writer, TIME_TEXT, LENGTH(TIME_TEXT));
        antinode_put_number(writer, (unsigned long long)now);
    }
    if (roles->values[INSERT_ID] == NULL) {
        unsigned long long number;
        if (antinode_next_id(self, &number) < 0
            || antinode_room(writer, LENGTH(INSERT_ID_TEXT) + PyBytes_GET_SIZE(self->prefix) + 20 + 1) < 0) {
            return -1;
        }
        antinode_put(writer, INSERT_ID_TEXT, LENGTH(INSERT_ID_TEXT));
        antinode_put(writer, PyBytes_AS_STRING(self->prefix), PyBytes_GET_SIZE(self->prefix));
        antinode_put_number(writer, number);
        *writer->to++ = '"';
    }
    if (has_constants) {
        *writer->to++ = '}';
        return 0;
    }
    if (antinode_room(writer, PyBytes_GET_SIZE(self->tail)) < 0) {
        return -1;
    }
    antinode_put(writer, PyBytes_AS_STRING(self->tail), PyBytes_GET_SIZE(self->tail));
    return 0;
}

#define KEPT_SCRATCH (64 * 1024)

/* The event's final bytes, in memory that is used again for the next: 1, or as of write_fields. */
static int
encode_into(Log *self, PyObject *event, PyObject *context, Roles *roles, PyObject **body)
{
    /* Taken away meanwhile: to complete the event may run code that logs. */
    Writer writer = {
        .start = self->scratch,
        .to = self->scratch,
        .end = self->scratch == NULL ? NULL : self->scratch + self->scratch_size,
        .max_properties = self->max_properties,
        .max_string = self->max_string,
        .dumps = self->dumps,
        .uuid_type = self->uuid_type,
        .is_copy = roles->may_call,
    };
    self->scratch = NULL;
    int has_constants = 0;
    int written = write_fields(self, &writer, event, context, roles, &has_constants);
    if (written == 1) {
        written = complete(self, &writer, roles, has_constants);
        Py_ssize_t size = writer.to - writer.start;
        if (written == 0 && size <= self->max_event_bytes) {
            *body = PyBytes_FromStringAndSize(writer.start, size);
            written = *body == NULL ? -1 : 1;
        }
    }
    if (self->scratch == NULL && writer.end - writer.start <= KEPT_SCRATCH) {
        self->scratch = writer.start;
        self->scratch_size = writer.end - writer.start;
    }
    else {
        PyMem_Free(writer.start);
    }
    return written;
}

/* The same for a copy of the event, on which checks may call: they may run any code, which may change the event. */
static PyObject *
encode_copy(Log *self, PyObject *event, PyObject *context, Roles *roles)
{
    /* Not PyDict_Copy: up to Python 3.11 the collector may run in the middle of it, and with it code that changes the
       event, which a copy by `update` notices. */
    PyObject *copy = PyDict_New(), *inert = NULL, *body = NULL;
    roles->may_call = 1;
    if (copy != NULL && PyDict_Update(copy, event) == 0 && antinode_add_absent(self, copy, context) == 0
        && are_plain(self, copy, roles) == 1
        && are_good(self, roles) == 1) {
        /* It may hold what changes. */
        inert = antinode_inert_copy(copy, self->uuid_type, self->inert_copy, INERT_LAYERS);
        if (inert != NULL) {
            encode_into(self, inert, NULL, roles, &body);
        }
    }
    Py_XDECREF(inert);
    Py_XDECREF(copy);
    return body;
}

PyObject *
antinode_encode(Log *self, PyObject *event, PyObject *context, Roles *roles)
{
    PyObject *body = NULL;
    if (encode_into(self, event, context, roles, &body) != MUST_CALL) {
        return body;
    }
    antinode_let_go(roles);
    return PyDict_CheckExact(event) ? encode_copy(self, event, context, roles) : NULL;
}

/* The hash of a tuple of two, as CPython has it since 3.8 where hashes have 64 bits, from the hashes of its items. */
static Py_hash_t
pair_hash(Py_hash_t first, Py_hash_t second)
{
    static const uint64_t prime1 = 11400714785074694791u, prime2 = 14029467366897019727u, prime5 = 2870177450012600261u;
    const uint64_t lanes[2] = {(uint64_t)first, (uint64_t)second};
    uint64_t hash = prime5;
    for (int which = 0; which < 2; which++) {
        hash += lanes[which] * prime2;
        hash = (hash << 31) | (hash >> 33);
        hash *= prime1;
    }
    hash += 2 ^ (prime5 ^ 3527539u);
    return hash == (uint64_t)-1 ? 1546275796 : (Py_hash_t)hash;
}

static Py_hash_t
hash_of_tuple(PyObject *first, PyObject *second)
{
    PyObject *pair = PyTuple_Pack(2, first, second);
    Py_hash_t hash = pair == NULL ? -1 : PyObject_Hash(pair);
    Py_XDECREF(pair);
    return hash;
}

/* Whether this interpreter has it so; -1 with an error set. */
static int
knows_pairs(void)
{
    PyObject *text = PyUnicode_FromString("user-20391");
    Py_hash_t expected = text == NULL ? -1 : hash_of_tuple(text, Py_None);
    int is_same = expected == -1 ? -1
        : sizeof(Py_hash_t) == 8 && expected == pair_hash(PyObject_Hash(text), PyObject_Hash(Py_None));
    Py_XDECREF(text);
    return is_same;
}

/* `_protocol.ids.stream_of`. */
#define STREAM_MASK (((uint64_t)1 << 60) - 1)

PyObject *
antinode_stream_of(Log *self, const Roles *roles)
{
    PyObject *user_id = roles->values[USER_ID], *device_id = roles->values[DEVICE_ID];
    PyObject *user = user_id == NULL ? Py_None : user_id, *device = device_id == NULL ? Py_None : device_id;
    Py_hash_t stream;
    if (self->knows_pairs) {
        Py_hash_t first = PyObject_Hash(user), second = PyObject_Hash(device);
        stream = first == -1 || second == -1 ? -1 : pair_hash(first, second);
    }
    else {
        stream = hash_of_tuple(user, device);
    }
    return stream == -1 ? NULL : PyLong_FromUnsignedLongLong((uint64_t)stream & STREAM_MASK);
}

int
antinode_prepare_events(Log *self)
{
    static const char *const roles[ROLES] = {"event_type", "user_id", "device_id", "insert_id", "time"};
    for (int role = 0; role < ROLES; role++) {
        if ((self->n_roles[role] = PyUnicode_InternFromString(roles[role])) == NULL) {
            return -1;
        }
    }
    if ((self->n_event_properties = PyUnicode_InternFromString("event_properties")) == NULL
        || (self->n_groups = PyUnicode_InternFromString("groups")) == NULL) {
        return -1;
    }
    return make_fields(self) < 0 || (self->knows_pairs = knows_pairs()) < 0
            || find_slots(self) < 0 || (self->id_list = antinode_list_ids(self->invalid_ids)) == NULL
        ? -1 : 0;
}

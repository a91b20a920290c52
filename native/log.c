/* The path of an ordinary event, compiled: what EventEncoder.encode, Client.log_event and Core.admit do for a plain dict.

Optional: antinode is complete without it, and the tests run both. It decides nothing of its own. Whatever is not
plainly ordinary (an odd type, an unknown id, a missing field) makes it return None before anything has changed,
and the Python code, which is the reference, does the whole event.

Needs the GIL: it is what makes the counts and the queue change together. */

#include "clocks.h"
#include "counts.h"
#include <datetime.h>
#include "guard.h"
#include "ids.h"
#include "method.h"

/* A count is read and written where it lies; -1 with an error set when it is no int. */
static inline long long
count_at(PyObject *object, Py_ssize_t offset)
{
    PyObject *value = *slot(object, offset);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a count is missing");
        return -1;
    }
    return PyLong_AsLongLong(value);
}

/* What is known of a field: its name, the type of value that needs no more than encoding, and its role here. */
typedef struct {
    PyObject *name;           /* interned: most keys of events are the very same object */
    PyObject *type;
    int role;
} Field;

enum { EVENT_TYPE, USER_ID, DEVICE_ID, INSERT_ID, TIME, NO_ROLE };
#define ROLES NO_ROLE
#define TYPE_ROOM 16
#define FIELD_ROOM 256        /* a power of two, several times the number of fields */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    /* Checks. */
    PyObject *plain;          /* as the encoder has it: field -> type */
    Field fields[FIELD_ROOM]; /* the same, found by hash and identity */
    PyObject *is_plain;
    PyObject *event_types;    /* known to be good */
    PyObject *recent_types[TYPE_ROOM];   /* of these: most event types are literals, the very same object again */
    PyObject *is_good_type;
    Py_ssize_t min_id_length;
    IdList *invalid_ids;
    PyObject *ids;            /* known to be good, of those that have to be looked up */
    PyObject *is_good_id;
    PyObject *is_near;
    PyObject *group_identify;
    long long earliest;       /* of a `time` in milliseconds */
    long long tomorrow;
    Py_ssize_t deep_bytes, max_depth, max_string, max_properties, max_event_bytes;
    /* Encoding. */
    PyObject *dumps, *dumps_option;
    PyObject *time_ns;        /* NULL: the system's */
    PyObject *counter;        /* of the insert_ids */
    PyObject *insert_ids;
    PyObject *prefix;         /* before the counter; NULL until the first event */
    PyObject *tail;           /* the client's constants and the closing brace */
    /* The record, and where it goes. */
    PyObject *page_owner;
    Py_buffer page;           /* its first byte is 0 in a forked child that has not noticed it */
    int has_page;
    int knows_pairs;
    PyObject *record_type;
    PyObject *monotonic;      /* NULL: the system's */
    PyObject *sender;
    PyObject *core;
    PyObject *wakeup;
    PyObject *lifetime;
    PyObject *submit;         /* for a sender with a store; else NULL */
    PyObject *spooled;        /* what is in the store, if this may put records there; else NULL */
    PyObject *store;
    long long memory_events, memory_bytes;
    PyObject *acquire, *release;
    PyObject *guard;          /* if it is one of guard.c; else NULL, and only the two above are known of it */
    PyObject *ledger;
    PyObject *queue, *append;
    long long max_events, max_bytes;
    Py_ssize_t at_record_epoch, at_record_place;
    Py_ssize_t at_epoch, at_accepted, at_pending, at_pending_bytes;   /* in the ledger */
    Py_ssize_t at_on_disk, at_on_disk_bytes;
    Py_ssize_t at_epoch_accepted;
    Py_ssize_t at_threshold, at_is_closed;                            /* in the wake-up and in the lifetime */
    /* Names. */
    PyObject *n_roles[ROLES];
    PyObject *n_is_behind, *n_rear, *n_is_admitting, *n_has_ended, *n_interrupting, *n_admit_late, *n_append;
    PyObject *append_names;   /* of keyword arguments */
    PyObject *n_ring, *n_overflow, *n_prefix, *n_tomorrow;
} Log;

#define OBJECTS(X)                                                                                              \
    X(plain) X(is_plain) X(event_types) X(is_good_type) X(ids) X(is_good_id) X(is_near)           \
    X(group_identify) X(dumps) X(dumps_option) X(time_ns) X(counter) X(insert_ids) X(prefix) X(tail)            \
    X(page_owner) X(record_type) X(monotonic) X(sender) X(core) X(wakeup) X(lifetime) X(submit) X(spooled) X(store) X(n_is_behind) X(n_rear)            \
    X(n_is_admitting) X(n_has_ended) X(n_interrupting) X(n_admit_late) X(n_append) X(append_names) X(guard) X(acquire) X(release) X(ledger)       \
    X(queue) X(append) X(n_ring) X(n_overflow) X(n_prefix) X(n_tomorrow)

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
    int is_good = antinode_is_good_id(value, self->min_id_length, self->invalid_ids);
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

static int
make_fields(Log *self)
{
    Py_ssize_t position = 0;
    PyObject *name, *type;
    if (PyDict_GET_SIZE(self->plain) > FIELD_ROOM / 2) {
        PyErr_SetString(PyExc_TypeError, "too many fields");
        return -1;
    }
    while (PyDict_Next(self->plain, &position, &name, &type)) {
        Py_hash_t hash = PyObject_Hash(name);
        if (hash == -1 || !PyUnicode_CheckExact(name)) {
            PyErr_SetString(PyExc_TypeError, "a field's name is no text");
            return -1;
        }
        size_t at = (size_t)hash % FIELD_ROOM;
        while (self->fields[at].name != NULL) {
            at = (at + 1) % FIELD_ROOM;
        }
        Field *field = &self->fields[at];
        field->name = Py_NewRef(name);
        PyUnicode_InternInPlace(&field->name);
        field->type = Py_NewRef(type);
        field->role = 0;
        while (field->role < ROLES && PyUnicode_Compare(name, self->n_roles[field->role]) != 0) {
            field->role++;
        }
    }
    return 0;
}

/* What an event holds in the fields that have a role here: references of our own. */
typedef struct {
    PyObject *values[ROLES];
    int may_call;             /* whether checks may run Python code, and with it other threads, signal handlers, … */
} Roles;

static inline void
let_go(Roles *roles)
{
    for (int role = 0; role < ROLES; role++) {
        Py_CLEAR(roles->values[role]);
    }
}

/* Whether the types of all values need no more than encoding: 1, 0, -1 with an error set, or MUST_CALL. Finds the values
   that have a role. Where checks may call, the event is a copy that nobody else changes. */
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
        if (field != NULL) {
            if (field->role != NO_ROLE) {
                Py_XSETREF(roles->values[field->role], Py_NewRef(value));
            }
            if (field->type == (PyObject *)Py_TYPE(value)) {
                continue;
            }
        }
        else if (PyErr_Occurred()) {
            return -1;
        }
        if (!roles->may_call) {
            return MUST_CALL;
        }
        Py_INCREF(key);
        Py_INCREF(value);
        PyObject *answer = PyObject_CallFunctionObjArgs(self->is_plain, key, value, NULL);
        Py_DECREF(key);
        Py_DECREF(value);
        if (answer == NULL) {
            return -1;
        }
        int is_good = PyObject_IsTrue(answer);
        Py_DECREF(answer);
        if (is_good <= 0) {
            return is_good;
        }
    }
    return 1;
}

static int
is_good_time(Log *self, PyObject *value, int may_call)
{
    int overflow;
    long long milliseconds = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (milliseconds == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (overflow) {
        return 0;
    }
    if (self->earliest <= milliseconds && milliseconds <= self->tomorrow) {
        return 1;
    }
    if (!may_call) {
        return MUST_CALL;
    }
    PyObject *answer = PyObject_CallOneArg(self->is_near, value);
    if (answer == NULL) {
        return -1;
    }
    /* It has moved with the clock. */
    int is_near = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    if (is_near == 1) {
        PyObject *encoder = PyMethod_Check(self->is_near) ? PyMethod_GET_SELF(self->is_near) : NULL;
        PyObject *tomorrow = encoder == NULL ? NULL : PyObject_GetAttr(encoder, self->n_tomorrow);
        if (tomorrow == NULL) {
            return -1;
        }
        self->tomorrow = PyLong_AsLongLong(tomorrow);
        Py_DECREF(tomorrow);
        if (self->tomorrow == -1 && PyErr_Occurred()) {
            return -1;
        }
    }
    return is_near;
}

/* Whether encoding this runs no code: `is_inert` of antinode/_encoding/inert.py, which knows some more types. As it
   runs none itself, what it looks at cannot change. */
#define INERT_LAYERS 64

static int
is_inert(PyObject *value, int layers)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type
        || value == Py_None) {
        return 1;
    }
    if (layers == 0) {
        return 0;
    }
    if (type == &PyDict_Type) {
        Py_ssize_t position = 0;
        PyObject *key, *each;
        while (PyDict_Next(value, &position, &key, &each)) {
            if (!PyUnicode_CheckExact(key) || !is_inert(each, layers - 1)) {
                return 0;
            }
        }
        return 1;
    }
    if (type == &PyList_Type || type == &PyTuple_Type) {
        for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(value); at++) {
            if (!is_inert(PySequence_Fast_GET_ITEM(value, at), layers - 1)) {
                return 0;
            }
        }
        return 1;
    }
    return PyDateTime_CheckExact(value) && PyDateTime_DATE_GET_TZINFO(value) == Py_None;
}

/* How many there are, but at most one more than `enough`. */
static Py_ssize_t
count_of(const char *text, Py_ssize_t size, char wanted, Py_ssize_t enough)
{
    Py_ssize_t count = 0;
    const char *end = text + size;
    while (count <= enough && (text = memchr(text, wanted, (size_t)(end - text))) != NULL) {
        count++;
        text++;
    }
    return count;
}

static char *
put(char *to, const char *text, Py_ssize_t size)
{
    memcpy(to, text, (size_t)size);
    return to + size;
}

static char *
put_number(char *to, unsigned long long number)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count) {
        *to++ = digits[--count];
    }
    return to;
}

static const char TIME_TEXT[] = ",\"time\":";
static const char INSERT_ID_TEXT[] = ",\"insert_id\":\"";
#define LENGTH(text) ((Py_ssize_t)sizeof(text) - 1)

/* Whether the event needs no more than encoding, and its roles: 1, 0, -1 with an error set, or MUST_CALL. */
static int
judge(Log *self, PyObject *event, Roles *roles)
{
    int is_good = are_plain(self, event, roles);
    if (is_good <= 0) {
        return is_good;
    }
    int may_call = roles->may_call;
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

/* Encode what was judged; NULL when the slow path has to look. Nothing else can have changed it: either it is a copy,
   or no code has run since, and encoding what is inert runs none. */
static PyObject *
encode_judged(Log *self, PyObject *event, const Roles *roles)
{
    PyObject *insert_id = roles->values[INSERT_ID], *time = roles->values[TIME];
    if (!is_inert(event, INERT_LAYERS)) {
        return NULL;
    }
    PyObject *arguments[3] = {event, Py_None, self->dumps_option};
    PyObject *text = PyObject_Vectorcall(self->dumps, arguments, 3, NULL);
    if (text == NULL || !PyBytes_CheckExact(text)) {
        Py_XDECREF(text);
        return NULL;
    }
    const char *start = PyBytes_AS_STRING(text);
    Py_ssize_t size = PyBytes_GET_SIZE(text);
    int has_bracket = memchr(start, '[', (size_t)size) != NULL;
    if (size > self->deep_bytes || has_bracket) {
        Py_ssize_t brackets = count_of(start, size, '{', self->max_depth);
        brackets += has_bracket ? count_of(start, size, '[', self->max_depth) : 0;
        if (brackets > self->max_depth || size > self->max_string) {
            if (antinode_exceeds(start, size, self->max_string, self->max_properties, self->max_depth + 1)) {
                Py_DECREF(text);
                return NULL;
            }
        }
    }

    long long now = 0;
    unsigned long long number = 0;
    Py_ssize_t room = size - 1 + PyBytes_GET_SIZE(self->tail);
    if (time == NULL) {
        now = antinode_time_ns(self->time_ns) / 1000000;
        if (now <= 0) {
            Py_DECREF(text);
            return NULL;
        }
        room += LENGTH(TIME_TEXT) + 20;
    }
    if (insert_id == NULL) {
        if (self->prefix == NULL) {
            PyObject *prefix = PyObject_GetAttr(self->insert_ids, self->n_prefix);
            if (prefix != NULL && !PyBytes_CheckExact(prefix)) {
                Py_CLEAR(prefix);
            }
            Py_XSETREF(self->prefix, prefix);
        }
        PyObject *next = self->prefix == NULL ? NULL : PyIter_Next(self->counter);
        number = next == NULL ? 0 : PyLong_AsUnsignedLongLong(next);
        Py_XDECREF(next);
        if (PyErr_Occurred() || next == NULL) {
            Py_DECREF(text);
            return NULL;
        }
        room += LENGTH(INSERT_ID_TEXT) + PyBytes_GET_SIZE(self->prefix) + 20 + 1;
    }
    PyObject *body = PyBytes_FromStringAndSize(NULL, room);
    if (body == NULL) {
        Py_DECREF(text);
        return NULL;
    }
    char *to = put(PyBytes_AS_STRING(body), start, size - 1);
    Py_DECREF(text);
    if (time == NULL) {
        to = put(to, TIME_TEXT, LENGTH(TIME_TEXT));
        to = put_number(to, (unsigned long long)now);
    }
    if (insert_id == NULL) {
        to = put(to, INSERT_ID_TEXT, LENGTH(INSERT_ID_TEXT));
        to = put(to, PyBytes_AS_STRING(self->prefix), PyBytes_GET_SIZE(self->prefix));
        to = put_number(to, number);
        *to++ = '"';
    }
    to = put(to, PyBytes_AS_STRING(self->tail), PyBytes_GET_SIZE(self->tail));
    size = to - PyBytes_AS_STRING(body);
    if (size > self->max_event_bytes) {
        Py_DECREF(body);
        return NULL;
    }
    if (size != room && _PyBytes_Resize(&body, size) < 0) {
        return NULL;
    }
    return body;
}

/* The final bytes; NULL when the slow path has to look. The caller lets go of the roles either way. */
static PyObject *
encode(Log *self, PyObject *event, Roles *roles)
{
    int is_good = judge(self, event, roles);
    if (is_good == 1) {
        return encode_judged(self, event, roles);
    }
    if (is_good != MUST_CALL) {
        return NULL;
    }
    /* The checks may run any code, which may change the event. */
    let_go(roles);
    roles->may_call = 1;
    /* Not PyDict_Copy: up to Python 3.11 the collector may run in the middle of it, and with it code that changes the
       event, which a copy by `update` notices. */
    PyObject *copy = PyDict_New();
    PyObject *body = copy != NULL && PyDict_Update(copy, event) == 0 && judge(self, copy, roles) == 1
        ? encode_judged(self, copy, roles) : NULL;
    Py_XDECREF(copy);
    return body;
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

static PyObject *
stream_of(Log *self, const Roles *roles)
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
    return stream == -1 ? NULL : PyLong_FromSsize_t(stream);
}

/* An error on the way to nothing is none: the Python code does it again, and knows what to say. What a signal
   handler raised is not about the event, and goes on. */
static PyObject *
not_here(void)
{
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL;
        }
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

/* An attribute's truth; -1 with an error set. */
static int
is_true(PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return truth;
}

/* Queue the record and count it, which nothing can part: 0, or -1 with an error set. */
static int
enter(Log *self, PyObject *record, PyObject *epoch, Py_ssize_t size)
{
    /* What can fail comes first. */
    long long accepted = count_at(epoch, self->at_epoch_accepted);
    PyObject *sum = accepted == -1 && PyErr_Occurred() ? NULL : PyLong_FromLongLong(accepted + 1);
    PyObject *done = sum == NULL ? NULL : PyObject_CallOneArg(self->append, record);
    if (done == NULL) {
        Py_XDECREF(sum);
        return -1;
    }
    Py_DECREF(done);
    replace(record, self->at_record_epoch, Py_NewRef(epoch));
    replace(epoch, self->at_epoch_accepted, sum);
    *count_in(self->ledger, self->at_accepted) += 1;
    *count_in(self->ledger, self->at_pending) += 1;
    *count_in(self->ledger, self->at_pending_bytes) += size;
    return 0;
}

static int
acquire(Log *self)
{
    PyObject *done = PyObject_CallNoArgs(self->acquire);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Give the guard back, whatever error is set. */
static void
release(Log *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallNoArgs(self->release);
    Py_XDECREF(done);
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
}

/* The place in the store, for a record that is in memory too; NULL with or without an error set. */
static PyObject *
place_of(Log *self, PyObject *body, PyObject *now)
{
    PyObject *append = PyObject_GetAttr(self->store, self->n_append);
    if (append == NULL) {
        return NULL;
    }
    PyObject *arguments[3] = {body, now, Py_True};
    PyObject *place = PyObject_Vectorcall(append, arguments, 2, self->append_names);
    Py_DECREF(append);
    if (place != NULL && !PyLong_CheckExact(place)) {
        Py_CLEAR(place);
    }
    return place;
}

/* As SpooledQueue.admit, where all is well and nothing older is unread: 1: taken; 0: the Python code has to look, and
   nothing has changed; -1: an error is set. */
static int
admit_stored(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    if (acquire(self) < 0) {
        return -1;
    }
    int taken = 0, failed = 0;
    PyObject *ledger = self->ledger, *spooled = self->spooled;
    Py_ssize_t size = PyBytes_GET_SIZE(body);
    if (is_true(spooled, self->n_is_admitting) || is_true(spooled, self->n_is_behind) || is_true(spooled, self->n_rear)
        || is_true(spooled, self->n_has_ended) || is_true(spooled, self->n_interrupting)
        || *count_in(ledger, self->at_pending) - count_at(ledger, self->at_on_disk) >= self->memory_events
        || *count_in(ledger, self->at_pending_bytes) - count_at(ledger, self->at_on_disk_bytes) >= self->memory_bytes
        || *slot(ledger, self->at_epoch) == NULL) {
        goto end;
    }
    /* A signal handler may log in the middle of what the store does. */
    if (PyObject_SetAttr(spooled, self->n_is_admitting, Py_True) < 0) {
        goto end;
    }
    PyObject *place = place_of(self, body, now);
    if (place != NULL) {
        replace(record, self->at_record_place, place);
        PyObject *epoch = Py_NewRef(*slot(ledger, self->at_epoch));
        taken = enter(self, record, epoch, size) < 0 ? -1 : 1;
        Py_DECREF(epoch);
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    failed = PyObject_SetAttr(spooled, self->n_is_admitting, Py_False) < 0;
    if (!failed && is_true(spooled, self->n_interrupting) == 1) {
        PyObject *done = PyObject_CallMethodNoArgs(spooled, self->n_admit_late);
        failed = done == NULL;
        Py_XDECREF(done);
    }
    if (type != NULL) {
        PyErr_Clear();
        PyErr_Restore(type, value, traceback);
    }
end:
    release(self);
    if (taken == 0 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear(); /* the store refuses: the Python code sees it too, and knows what follows */
    }
    return PyErr_Occurred() ? -1 : taken;
}

/* As Core._admit: 1: taken; 0: there is no room; -1: an error is set, and nothing has changed. */
static int
admit(Log *self, PyObject *record, Py_ssize_t size)
{
    /* From here to the end the interpreter's lock is not given up: a guard that nobody else holds need not be taken. */
    int takes_guard = self->guard == NULL || antinode_guard_is_elsewhere(self->guard);
    if (takes_guard && acquire(self) < 0) {
        return -1;
    }
    int taken = -1;
    PyObject *ledger = self->ledger;
    long long pending = *count_in(ledger, self->at_pending);
    long long pending_bytes = *count_in(ledger, self->at_pending_bytes);
    PyObject *epoch = Py_XNewRef(*slot(ledger, self->at_epoch));
    if (epoch == NULL || PyErr_Occurred()) {
        goto end;
    }
    if (pending >= self->max_events || pending_bytes + size > self->max_bytes) {
        taken = 0;
        goto end;
    }
    taken = enter(self, record, epoch, size) < 0 ? -1 : 1;
end:
    Py_XDECREF(epoch);
    if (takes_guard) {
        release(self);
    }
    return PyErr_Occurred() ? -1 : taken;
}

/* Wake the coordinator if the queue has the length at which it wants to be. */
static int
ring_if_due(Log *self)
{
    long long at = count_at(self->wakeup, self->at_threshold);
    if (at == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (PyObject_Size(self->queue) < at) {
        return 0;
    }
    PyObject *done = PyObject_CallMethodNoArgs(self->sender, self->n_ring);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Hand the record over: 0, or -1 with an error set. */
static int
deliver_record(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    int taken = 0;
    if (self->spooled != NULL) {
        taken = admit_stored(self, record, body, now);
    }
    else if (self->submit == NULL) {
        taken = admit(self, record, PyBytes_GET_SIZE(body));
    }
    if (taken < 0) {
        return -1;
    }
    if (taken) {
        return ring_if_due(self);
    }
    PyObject *done = self->submit != NULL ? PyObject_CallOneArg(self->submit, record)
                                          : PyObject_CallMethodOneArg(self->sender, self->n_overflow, record);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *
log_event(Log *self, PyObject *event)
{
    if (!((const volatile char *)self->page.buf)[0] || !PyDict_CheckExact(event)) {
        Py_RETURN_NONE;
    }
    Roles roles = {0};
    PyObject *stream = NULL, *now = NULL, *record = NULL;
    PyObject *body = encode(self, event, &roles);
    if (body == NULL || (stream = stream_of(self, &roles)) == NULL
        || (now = antinode_monotonic(self->monotonic)) == NULL) {
        goto end;
    }
    if (*slot(self->lifetime, self->at_is_closed) != Py_False) {
        goto end;
    }
    PyObject *fields[3] = {body, stream, now};
    record = PyObject_Vectorcall(self->record_type, fields, 3, NULL);
    if (record != NULL && deliver_record(self, record, body, now) < 0) {
        /* It may have been taken: what was raised is a signal handler's, or a defect, and not for a second try. */
        Py_CLEAR(record);
        Py_DECREF(body);
        Py_DECREF(stream);
        Py_DECREF(now);
        let_go(&roles);
        return NULL;
    }
end:
    Py_XDECREF(body);
    Py_XDECREF(stream);
    Py_XDECREF(now);
    let_go(&roles);
    return record != NULL ? record : not_here();
}

static PyObject *
Log_vectorcall(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    if (PyVectorcall_NARGS(flags) != 1 || (names != NULL && PyTuple_GET_SIZE(names))) {
        PyErr_SetString(PyExc_TypeError, "give one event");
        return NULL;
    }
    return log_event((Log *)self, args[0]);
}

static PyObject *
Log_encode(PyObject *object, PyObject *event)
{
    Log *self = (Log *)object;
    Roles roles = {0};
    PyObject *body = self->has_page && PyDict_CheckExact(event) ? encode(self, event, &roles) : NULL;
    PyObject *stream = body == NULL ? NULL : stream_of(self, &roles);
    let_go(&roles);
    if (stream == NULL) {
        Py_XDECREF(body);
        return not_here();
    }
    PyObject *encoded = PyTuple_Pack(2, body, stream);
    Py_DECREF(body);
    Py_DECREF(stream);
    return encoded;
}

static int
take(PyObject *from, const char *name, PyObject **to)
{
    *to = PyObject_GetAttrString(from, name);
    return *to == NULL ? -1 : 0;
}

static int
take_number(PyObject *from, const char *name, long long *to)
{
    PyObject *value = PyObject_GetAttrString(from, name);
    *to = value == NULL ? -1 : PyLong_AsLongLong(value);
    Py_XDECREF(value);
    return *to == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
take_size(PyObject *from, const char *name, Py_ssize_t *to)
{
    long long value;
    if (take_number(from, name, &value) < 0) {
        return -1;
    }
    *to = (Py_ssize_t)value;
    return 0;
}

static int
take_checks(Log *self, PyObject *encoder, PyObject *constants)
{
    return take_size(encoder, "_min_id_length", &self->min_id_length) < 0
        || take(constants, "_PLAIN", &self->plain) < 0 || take(encoder, "_is_plain", &self->is_plain) < 0
        || take(encoder, "_event_types", &self->event_types) < 0
        || take(encoder, "_is_good_type", &self->is_good_type) < 0 || take(encoder, "_ids", &self->ids) < 0
        || take(encoder, "_is_good_id", &self->is_good_id) < 0 || take(encoder, "_is_near", &self->is_near) < 0
        || take(constants, "GROUP_IDENTIFY", &self->group_identify) < 0
        || take_number(constants, "EARLIEST_MS", &self->earliest) < 0
        || take_number(encoder, "_tomorrow_ms", &self->tomorrow) < 0
        || take_size(constants, "_DEEP_BYTES", &self->deep_bytes) < 0
        || take_size(constants, "MAX_DEPTH", &self->max_depth) < 0
        || take_size(constants, "MAX_STRING", &self->max_string) < 0
        || take_size(constants, "MAX_PROPERTIES", &self->max_properties) < 0
        || take_size(encoder, "_max_event_bytes", &self->max_event_bytes) < 0;
}

static int
take_encoding(Log *self, PyObject *encoder, PyObject *constants, PyObject *orjson)
{
    return take(orjson, "dumps", &self->dumps) < 0 || take(constants, "_OPTIONS", &self->dumps_option) < 0
        || take(encoder, "insert_ids", &self->insert_ids) < 0
        || take(self->insert_ids, "counter", &self->counter) < 0 || take(encoder, "_tail", &self->tail) < 0;
}

static int
take_core(Log *self, PyObject *sender, PyObject *record_type)
{
    PyObject *guard = NULL, *epoch = NULL, *config = NULL;
    int failed = take(sender, "_core", &self->core) < 0 || take(sender, "wakeup", &self->wakeup) < 0 || take(sender, "lifetime", &self->lifetime) < 0
        || take(self->core, "_guard", &guard) < 0
        || take(guard, "acquire", &self->acquire) < 0 || take(guard, "release", &self->release) < 0
        || take(self->core, "ledger", &self->ledger) < 0 || take(self->core, "queued", &self->queue) < 0
        || take(self->queue, "append", &self->append) < 0 || take(self->core, "config", &config) < 0
        || take_number(config, "max_events", &self->max_events) < 0
        || take_number(config, "max_bytes", &self->max_bytes) < 0 || take(self->ledger, "epoch", &epoch) < 0;
    if (!failed) {
        failed = (self->at_record_epoch = antinode_offset_of((PyTypeObject *)record_type, "epoch")) < 0
            || (self->at_epoch = antinode_offset_of(Py_TYPE(self->ledger), "epoch")) < 0
            || (self->at_accepted = antinode_count_of(Py_TYPE(self->ledger), "accepted")) < 0
            || (self->at_pending = antinode_count_of(Py_TYPE(self->ledger), "pending")) < 0
            || (self->at_pending_bytes = antinode_count_of(Py_TYPE(self->ledger), "pending_bytes")) < 0
            || (self->at_epoch_accepted = antinode_offset_of(Py_TYPE(epoch), "accepted")) < 0
            || (self->at_threshold = antinode_offset_of(Py_TYPE(self->wakeup), "threshold")) < 0
            || (self->at_is_closed = antinode_offset_of(Py_TYPE(self->lifetime), "is_closed")) < 0;
    }
    if (!failed && Py_TYPE(guard)->tp_dealloc == antinode_guard_dealloc()) {
        self->guard = Py_NewRef(guard);
    }
    Py_XDECREF(guard);
    Py_XDECREF(epoch);
    Py_XDECREF(config);
    return failed;
}

static int
take_spooled(Log *self)
{
    return take(self->core, "spooled", &self->spooled) < 0 || take(self->spooled, "_store", &self->store) < 0
        || take_number(self->spooled, "_queue_events", &self->memory_events) < 0
        || take_number(self->spooled, "_queue_bytes", &self->memory_bytes) < 0
        || (self->at_record_place = antinode_offset_of((PyTypeObject *)self->record_type, "place")) < 0
        || (self->at_on_disk = antinode_offset_of(Py_TYPE(self->ledger), "on_disk")) < 0
        || (self->at_on_disk_bytes = antinode_offset_of(Py_TYPE(self->ledger), "on_disk_bytes")) < 0;
}

static int
take_names(Log *self)
{
    static const char *const roles[ROLES] = {"event_type", "user_id", "device_id", "insert_id", "time"};
    for (int role = 0; role < ROLES; role++) {
        if ((self->n_roles[role] = PyUnicode_InternFromString(roles[role])) == NULL) {
            return -1;
        }
    }
    PyObject *direct = PyUnicode_InternFromString("direct");
    self->append_names = direct == NULL ? NULL : PyTuple_Pack(1, direct);
    Py_XDECREF(direct);
    return self->append_names == NULL || (self->n_is_behind = PyUnicode_InternFromString("is_behind")) == NULL
        || (self->n_rear = PyUnicode_InternFromString("rear")) == NULL
        || (self->n_is_admitting = PyUnicode_InternFromString("_is_admitting")) == NULL
        || (self->n_has_ended = PyUnicode_InternFromString("has_ended")) == NULL
        || (self->n_interrupting = PyUnicode_InternFromString("_interrupting")) == NULL
        || (self->n_admit_late = PyUnicode_InternFromString("_admit_late")) == NULL
        || (self->n_append = PyUnicode_InternFromString("append")) == NULL
        || (self->n_ring = PyUnicode_InternFromString("_ring")) == NULL
        || (self->n_overflow = PyUnicode_InternFromString("_overflow")) == NULL
        || (self->n_prefix = PyUnicode_InternFromString("prefix")) == NULL
        || (self->n_tomorrow = PyUnicode_InternFromString("_tomorrow_ms")) == NULL;
}

static PyObject *
Log_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"encoder", "constants", "invalid_ids", "orjson", "sender", "page", "time_ns", "monotonic", "has_store", "is_strict", NULL};
    PyObject *encoder, *constants, *invalid_ids, *orjson, *sender, *page, *time_ns, *monotonic;
    int has_store, is_strict;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOpp", names, &encoder, &constants, &invalid_ids, &orjson, &sender, &page,
                                     &time_ns, &monotonic, &has_store, &is_strict)) {
        return NULL;
    }
    PyDateTime_IMPORT;
    Log *self = PyDateTimeAPI == NULL ? NULL : (Log *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = Log_vectorcall;
    if (PyObject_GetBuffer(page, &self->page, PyBUF_SIMPLE) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->has_page = 1;
    self->knows_pairs = knows_pairs();
    self->page_owner = Py_NewRef(page);
    self->time_ns = antinode_own_clock(time_ns, "time_ns");
    self->monotonic = antinode_own_clock(monotonic, "monotonic");
    self->sender = Py_NewRef(sender);
    if (self->knows_pairs < 0 || take_names(self) || take_checks(self, encoder, constants) || (self->invalid_ids = antinode_list_ids(invalid_ids)) == NULL
        || take_encoding(self, encoder, constants, orjson)
        || take(sender, "make_record", &self->record_type) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (!PyDict_CheckExact(self->plain) || !PyAnySet_CheckExact(self->event_types) || !PyAnySet_CheckExact(self->ids)
        || !PyBytes_CheckExact(self->tail) || !PyType_Check(self->record_type) || !PyUnicode_Check(self->group_identify)) {
        PyErr_SetString(PyExc_TypeError, "the encoder is not as this was compiled for");
        Py_DECREF(self);
        return NULL;
    }
    if (make_fields(self) < 0 || take_core(self, sender, self->record_type) || (has_store && take(sender, "submit", &self->submit) < 0)
        || (has_store && !is_strict && take_spooled(self))) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
Log_traverse(PyObject *object, visitproc visit, void *arg)
{
    Log *self = (Log *)object;
#define VISIT(name) Py_VISIT(self->name);
    OBJECTS(VISIT)
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
#define CLEAR(name) Py_CLEAR(self->name);
    OBJECTS(CLEAR)
#undef CLEAR
    for (int at = 0; at < TYPE_ROOM; at++) {
        Py_CLEAR(self->recent_types[at]);
    }
    PyMem_Free(self->invalid_ids);
    self->invalid_ids = NULL;
    for (int at = 0; at < FIELD_ROOM; at++) {
        Py_CLEAR(self->fields[at].name);
        Py_CLEAR(self->fields[at].type);
    }
    for (int role = 0; role < ROLES; role++) {
        Py_CLEAR(self->n_roles[role]);
    }
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
antinode_log_event(PyObject *log, PyObject *event)
{
    return log_event((Log *)log, event);
}

static PyMethodDef Log_methods[] = {
    {"encode", Log_encode, METH_O,
     PyDoc_STR("The event's final bytes and its stream, or None when it is not plainly ordinary.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef Log_members[] = {
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

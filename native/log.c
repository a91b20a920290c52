/* The path of an ordinary event, compiled: what EventEncoder.encode, Client.log_event and Core.admit do for a plain dict.

Optional: antinode is complete without it, and the tests run both. It decides nothing of its own. Whatever is not
plainly ordinary (an odd type, an unknown id, a missing field) makes it return None before anything has changed,
and the Python code, which is the reference, does the whole event.

Needs the GIL: it is what makes the counts and the queue change together. */

#include "clocks.h"
#include "counts.h"
#include "guard.h"
#include "ids.h"
#include "inert.h"
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
    unsigned long long taken; /* events that were logged here, and not left to the Python code */
    /* Checks. */
    PyObject *plain;          /* as the encoder has it: field -> type */
    Field fields[FIELD_ROOM]; /* the same, found by hash and identity */
    PyObject *is_plain;
    PyObject *event_types;    /* known to be good */
    PyObject *recent_types[TYPE_ROOM];   /* of these: most event types are literals, the very same object again */
    PyObject *is_good_type;
    Py_ssize_t min_id_length;
    PyObject *invalid_ids;
    IdList *id_list;          /* the same */
    PyObject *ids;            /* known to be good, of those that have to be looked up */
    PyObject *is_good_id;
    PyObject *is_near;
    PyObject *encoder;
    Py_ssize_t at_tomorrow;   /* in the encoder */
    PyObject *group_identify;
    long long earliest;       /* of a `time` in milliseconds */
    Py_ssize_t deep_bytes, max_depth, max_string, max_properties, max_event_bytes;
    /* Encoding. */
    PyObject *dumps, *dumps_option;
    PyObject *inert_copy, *uuid_type;
    PyObject *time_ns;        /* NULL: the system's */
    PyObject *counter;        /* of the insert_ids */
    PyObject *make_prefix;
    PyObject *prefix;         /* before the counter; NULL until the first event */
    PyObject *tail;           /* the client's constants and the closing brace */
    /* The record, and where it goes. */
    PyObject *page_owner;
    Py_buffer page;           /* its first byte is 0 in a forked child that has not noticed it */
    int has_page;
    int knows_pairs;
    PyObject *record_type;
    PyObject *monotonic;      /* NULL: the system's */
    PyObject *wakeup;
    PyObject *lifetime;
    PyObject *submit;         /* for a sender with a store; else NULL */
    PyObject *ring, *overflow;
    PyObject *drop_unmade, *unmade;      /* for want of memory */
    PyObject *stored;         /* the layout of what follows, if this may put records into a store; else NULL */
    PyObject *spooled;        /* what is in the store; else NULL */
    PyObject *append_stored, *admit_late;
    long long memory_events, memory_bytes;
    PyObject *guard_owner;
    PyObject *acquire, *release;
    PyObject *guard;          /* if it is one of guard.c; else NULL, and only the two above are known of it */
    PyObject *ledger;
    PyObject *queue, *append;
    long long max_events, max_bytes;
    Py_ssize_t at_record_epoch, at_record_place;
    Py_ssize_t at_epoch, at_accepted, at_pending, at_pending_bytes, at_unmade;   /* in the ledger */
    Py_ssize_t at_on_disk, at_on_disk_bytes;
    Py_ssize_t at_epoch_accepted;
    Py_ssize_t at_threshold, at_is_closed;                            /* in the wake-up and in the lifetime */
    Py_ssize_t at_is_admitting, at_is_behind, at_rear, at_has_ended, at_interrupting;   /* in what is spooled */
    /* Names. */
    PyObject *n_roles[ROLES];
} Log;

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
    {"deep_bytes", SIZE, AT(deep_bytes)},
    {"max_depth", SIZE, AT(max_depth)},
    {"max_string", SIZE, AT(max_string)},
    {"max_properties", SIZE, AT(max_properties)},
    {"max_event_bytes", SIZE, AT(max_event_bytes)},
    {"dumps", OBJECT, AT(dumps)},
    {"dumps_option", OBJECT, AT(dumps_option)},
    {"inert_copy", OBJECT, AT(inert_copy)},
    {"uuid_type", OBJECT, AT(uuid_type)},
    {"time_ns", OBJECT, AT(time_ns)},
    {"counter", OBJECT, AT(counter)},
    {"make_prefix", OBJECT, AT(make_prefix)},
    {"tail", OBJECT, AT(tail)},
    {"page", OBJECT, AT(page_owner)},
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
    {"on_disk", SLOT, AT(at_on_disk)},
    {"on_disk_bytes", SLOT, AT(at_on_disk_bytes)},
    {"is_admitting", SLOT, AT(at_is_admitting)},
    {"is_behind", SLOT, AT(at_is_behind)},
    {"rear", SLOT, AT(at_rear)},
    {"has_ended", SLOT, AT(at_has_ended)},
    {"interrupting", SLOT, AT(at_interrupting)},
};

#define MANY(table) (sizeof(table) / sizeof *(table))

/* Objects that are held beside those of the layouts. */
#define HELD(X) X(prefix) X(acquire) X(release) X(guard) X(append)

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
    long long tomorrow = count_at(self->encoder, self->at_tomorrow);
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

/* Encode what was judged, and is inert; NULL when the slow path has to look. Nothing else can have changed it: either it
   is a copy, or no code has run since, and encoding runs none. */
static PyObject *
encode_inert(Log *self, PyObject *event, const Roles *roles, const JsonSize *size_before)
{
    PyObject *insert_id = roles->values[INSERT_ID], *time = roles->values[TIME];
    if (antinode_reserve(size_before) < 0) {
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
            PyObject *prefix = PyObject_CallNoArgs(self->make_prefix);
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

/* The same for a copy of the event, on which checks may call: they may run any code, which may change the event. */
static PyObject *
encode_copy(Log *self, PyObject *event, Roles *roles)
{
    /* Not PyDict_Copy: up to Python 3.11 the collector may run in the middle of it, and with it code that changes the
       event, which a copy by `update` notices. */
    PyObject *copy = PyDict_New(), *inert = NULL, *body = NULL;
    JsonSize size = {0};
    if (copy != NULL && PyDict_Update(copy, event) == 0 && judge(self, copy, roles) == 1) {
        int is_inert = antinode_is_inert(copy, self->uuid_type, &size, INERT_LAYERS);
        inert = is_inert == 1 ? Py_NewRef(copy)
            : is_inert == 0 ? antinode_inert_copy(copy, self->uuid_type, self->inert_copy, INERT_LAYERS) : NULL;
        body = inert == NULL ? NULL : encode_inert(self, inert, roles, &size);
    }
    Py_XDECREF(inert);
    Py_XDECREF(copy);
    return body;
}

/* The final bytes; NULL when the slow path has to look. The caller lets go of the roles either way. */
static PyObject *
encode(Log *self, PyObject *event, Roles *roles)
{
    int is_good = judge(self, event, roles);
    if (is_good == 1) {
        JsonSize size = {0};
        int is_inert = antinode_is_inert(event, self->uuid_type, &size, INERT_LAYERS);
        if (is_inert) {
            return is_inert < 0 ? NULL : encode_inert(self, event, roles, &size);
        }
    }
    else if (is_good != MUST_CALL) {
        return NULL;
    }
    let_go(roles);
    roles->may_call = 1;
    return encode_copy(self, event, roles);
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

/* Settle the event although memory is lacking, and without asking for any, if there is none to ask Python. */
static PyObject *
settle_unmade(Log *self)
{
    PyErr_Clear();
    PyObject *record = PyObject_CallNoArgs(self->drop_unmade);
    if (record == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        *count_in(self->ledger, self->at_unmade) += 1;
        record = Py_NewRef(self->unmade);
    }
    return record;
}

/* None, for the Python code to do it all again, which knows what to say of an error. What a signal handler raised is not
   about the event, and goes on; nor is a lack of memory, which trying again would not mend. */
static PyObject *
not_here(Log *self)
{
    if (PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
            return settle_unmade(self);
        }
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL;
        }
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

/* The truth of what lies in a slot; -1 with an error set. */
static int
is_true(PyObject *object, Py_ssize_t at)
{
    PyObject *value = Py_XNewRef(*slot(object, at));
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a slot is empty");
    }
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
    PyObject *arguments[2] = {body, now};
    PyObject *place = PyObject_Vectorcall(self->append_stored, arguments, 2, NULL);
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
    int taken = 0;
    PyObject *ledger = self->ledger, *spooled = self->spooled;
    Py_ssize_t size = PyBytes_GET_SIZE(body);
    if (is_true(spooled, self->at_is_admitting) || is_true(spooled, self->at_is_behind) || is_true(spooled, self->at_rear)
        || is_true(spooled, self->at_has_ended) || is_true(spooled, self->at_interrupting)
        || *count_in(ledger, self->at_pending) - count_at(ledger, self->at_on_disk) >= self->memory_events
        || *count_in(ledger, self->at_pending_bytes) - count_at(ledger, self->at_on_disk_bytes) >= self->memory_bytes
        || *slot(ledger, self->at_epoch) == NULL) {
        goto end;
    }
    /* A signal handler may log in the middle of what the store does. */
    replace(spooled, self->at_is_admitting, Py_NewRef(Py_True));
    PyObject *place = place_of(self, body, now);
    if (place != NULL) {
        replace(record, self->at_record_place, place);
        PyObject *epoch = Py_NewRef(*slot(ledger, self->at_epoch));
        taken = enter(self, record, epoch, size) < 0 ? -1 : 1;
        Py_DECREF(epoch);
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    replace(spooled, self->at_is_admitting, Py_NewRef(Py_False));
    if (is_true(spooled, self->at_interrupting) == 1) {
        PyObject *done = PyObject_CallNoArgs(self->admit_late);
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
    PyObject *done = PyObject_CallNoArgs(self->ring);
    Py_XDECREF(done);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear(); /* the next record rings again */
        return 0;
    }
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
                                          : PyObject_CallOneArg(self->overflow, record);
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
    int is_over = 0;
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
    if (record != NULL) {
        self->taken++;
        if (deliver_record(self, record, body, now) < 0) {
            /* It may have been taken: what was raised is a signal handler's, or a defect, and not for a second try. */
            Py_CLEAR(record);
            is_over = !PyErr_ExceptionMatches(PyExc_MemoryError);
        }
    }
end:
    Py_XDECREF(body);
    Py_XDECREF(stream);
    Py_XDECREF(now);
    let_go(&roles);
    return record != NULL ? record : is_over ? NULL : not_here(self);
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
        return PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError) ? NULL : not_here(self);
    }
    PyObject *encoded = PyTuple_Pack(2, body, stream);
    Py_DECREF(body);
    Py_DECREF(stream);
    return encoded;
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

static int
take_names(Log *self)
{
    static const char *const roles[ROLES] = {"event_type", "user_id", "device_id", "insert_id", "time"};
    for (int role = 0; role < ROLES; role++) {
        if ((self->n_roles[role] = PyUnicode_InternFromString(roles[role])) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* What follows from what was given; -1 with an error set. */
static int
get_ready(Log *self)
{
    if (!PyDict_CheckExact(self->plain) || !PyAnySet_CheckExact(self->event_types) || !PyAnySet_CheckExact(self->ids)
        || !PyBytes_CheckExact(self->tail) || !PyType_Check(self->record_type) || !PyUnicode_Check(self->group_identify)) {
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
    return take_names(self) < 0 || make_fields(self) < 0 || (self->knows_pairs = knows_pairs()) < 0
            || (self->id_list = antinode_list_ids(self->invalid_ids)) == NULL
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
        || (self->stored != NULL && take_layout(self, self->stored, stored_layout, MANY(stored_layout)) < 0)
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
#define CLEAR(name) Py_CLEAR(self->name);
    HELD(CLEAR)
#undef CLEAR
    for (int at = 0; at < TYPE_ROOM; at++) {
        Py_CLEAR(self->recent_types[at]);
    }
    PyMem_Free(self->id_list);
    self->id_list = NULL;
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

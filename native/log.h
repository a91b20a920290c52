/* What the path of an ordinary event shares: log.c is the type, event.c checks and encodes, context.c fills in, complete.c
   prepares for middleware, lead.c leads through it, admission.c queues, stored.c puts
   into a store. */

#ifndef ANTINODE_LOG_H
#define ANTINODE_LOG_H

#include "ids.h"
#include "slots.h"

/* What a field's value has to be, where its type alone does not tell. */
typedef enum { IS_OF_TYPE, IS_INTEGER, IS_NUMBER, IS_CONSTANT, IS_GROUPS } Check;

/* What is known of a field: its name, what value needs no more than encoding, and its role here. */
typedef struct {
    PyObject *name;           /* interned: most keys of events are the very same object */
    PyObject *type;           /* of the value; for a constant, the client's own value */
    char *key;                /* the name as JSON, and the colon */
    Py_ssize_t key_size;
    int role;
    Check check;
} Field;

enum { EVENT_TYPE, USER_ID, DEVICE_ID, INSERT_ID, TIME, NO_ROLE };
#define ROLES NO_ROLE
#define TYPE_ROOM 16
#define FIELD_ROOM 256        /* a power of two, several times the number of fields */
#define SLOT_ROOM 64

/* Where an Event object keeps a field. */
typedef struct {
    Py_ssize_t at;
    const Field *field;
} Slot;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    unsigned long long taken; /* events that were logged here, and not left to the Python code */
    /* Checks. */
    PyObject *plain;          /* as the encoder has it: field -> type */
    PyObject *integers, *numbers, *groups;         /* the names of fields that hold such */
    Py_ssize_t max_group_types, max_group_values;
    PyObject *constants;      /* what the client adds to each event that has none of it */
    Py_ssize_t constant_count;
    Field fields[FIELD_ROOM]; /* all of these, found by hash and identity */
    PyObject *event_class;    /* of events that are objects; its slots are given by field, in their order */
    PyObject *event_slots;
    PyObject *typed_class;    /* the base of typed events, and where each keeps its dict */
    Py_ssize_t at_typed_event;
    Slot slots[SLOT_ROOM];
    int slot_count;
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
    Py_ssize_t max_depth, max_string, max_properties, max_event_bytes;
    /* Encoding. */
    PyObject *dumps;
    PyObject *inert_copy, *uuid_type;
    PyObject *time_ns;        /* NULL: the system's */
    PyObject *counter;        /* of the insert_ids */
    PyObject *make_prefix;
    PyObject *prefix;         /* before the counter; NULL until the first event */
    PyObject *tail;           /* the client's constants and the closing brace */
    char *scratch;            /* where texts are written; NULL while one is */
    Py_ssize_t scratch_size;
    /* The record, and where it goes. */
    PyObject *page_owner;
    Py_buffer page;           /* its first byte is 0 in a forked child that has not noticed it */
    int has_page;
    int knows_pairs;
    PyObject *context;        /* the variable that holds the innermost one */
    PyObject *context_type;
    Py_ssize_t at_context_fields;
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
    PyObject *recent, *look;  /* records that are in the store alone, and what to do about them when they are many */
    PyObject *chained;        /* the layout of what follows, if there is middleware; else NULL */
    PyObject *chain, *payload_type, *broken_type;
    Py_ssize_t at_payload_event;
    PyObject *record_passed, *refuse_broken, *skip_held_back;
    long long memory_events, memory_bytes;
    PyObject *mapped;         /* the layout of what follows, if this may store frames itself; else NULL */
    PyObject *spool, *mapped_type;
    Py_ssize_t at_buffered, at_taken, at_current;                     /* in the spool */
    Py_ssize_t at_map, at_end, at_count, at_limit, at_slots, at_salt, at_base;   /* in a mapped segment */
    PyObject *guard_owner;
    PyObject *acquire, *release;
    PyObject *guard;          /* if it is one of guard.c; else NULL, and only the two above are known of it */
    PyObject *ledger;
    PyObject *queue, *append;
    PyObject *moment;         /* when the last event was logged; one float for all of a millisecond */
    long long max_events, max_bytes;
    Py_ssize_t at_record_epoch, at_record_place;
    Py_ssize_t at_epoch, at_accepted, at_pending, at_pending_bytes, at_unmade;   /* in the ledger */
    Py_ssize_t at_on_disk, at_on_disk_bytes;
    Py_ssize_t at_epoch_accepted, at_epoch_on_disk;
    Py_ssize_t at_threshold, at_is_closed;                            /* in the wake-up and in the lifetime */
    Py_ssize_t at_is_admitting, at_is_behind, at_rear, at_has_ended, at_interrupting;   /* in what is spooled */
    /* Names. */
    PyObject *n_roles[ROLES];
    PyObject *n_event_properties, *n_groups;
} Log;

/* A count is read and written where it lies; -1 with an error set when it is no int. */
static inline long long
antinode_count_at(PyObject *object, Py_ssize_t offset)
{
    PyObject *value = *slot(object, offset);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a count is missing");
        return -1;
    }
    return PyLong_AsLongLong(value);
}

/* What an event holds in the fields that have a role here: references of our own. */
typedef struct {
    PyObject *values[ROLES];
    int may_call;             /* whether checks may run Python code, and with it other threads, signal handlers, … */
} Roles;

static inline void
antinode_let_go(Roles *roles)
{
    for (int role = 0; role < ROLES; role++) {
        Py_CLEAR(roles->values[role]);
    }
}

/* event.c */

/* What follows from the layout: the table of fields, and whether hashes can be made here; -1 with an error set. */
int antinode_prepare_events(Log *self);
void antinode_clear_fields(Log *self);

/* Whether this may be an ordinary event. */
static inline int
antinode_may_encode(Log *self, PyObject *event)
{
    return PyDict_CheckExact(event) || (PyObject *)Py_TYPE(event) == self->event_class;
}

/* The final bytes, with those fields of a context (or NULL) that the event has not; NULL when the slow path has to look.
   The caller lets go of the roles either way. */
PyObject *antinode_encode(Log *self, PyObject *event, PyObject *context, Roles *roles);

/* The hash of the user and the device. */
PyObject *antinode_stream_of(Log *self, const Roles *roles);

/* Whether a dict's first keys are another's, in the same order: then adding the other's keys changes nothing. */
int antinode_begins_as(PyObject *value, PyObject *start);

/* The number of the next insert_id, behind the prefix: 0, or -1 when the slow path has to look. */
int antinode_next_id(Log *self, unsigned long long *number);

/* complete.c */

/* A deep copy of an event, with all that it lacks; None when it is left to Python; NULL with an error set. `context` is its
   fields, or NULL. */
PyObject *antinode_complete(Log *self, PyObject *event, PyObject *context);

/* context.c */

/* What there is of the context in force for this event (a new reference, or NULL for nothing) in `fields`: 0; -1 when the
   slow path has to look, maybe with an error set. */
int antinode_fields_for(Log *self, PyObject *event, PyObject **fields);

/* Give an event of our own what a context has and it has not: 0, or -1 when the slow path has to look, maybe with an error
   set. */
int antinode_add_absent(Log *self, PyObject *event, PyObject *context);

/* lead.c */

/* Log an event by way of the middleware; None when it is left to Python, before any has run. */
PyObject *antinode_lead(Log *self, PyObject *event, PyObject *context, PyObject *extra);

/* log.c */

/* Log an event that has been through all of that; None when it is left to Python. */
PyObject *antinode_log_ready(Log *self, PyObject *event);

/* admission.c */

/* None, for the Python code to do it all again, or what there is to raise. */
PyObject *antinode_not_here(Log *self);

/* Queue the record and count it, which nothing can part: 0, or -1 with an error set. */
int antinode_enter(Log *self, PyObject *record, PyObject *epoch, Py_ssize_t size);

/* Take the guard: 0, or -1 with an error set. And give it back, whatever error is set. */
int antinode_acquire(Log *self);
void antinode_release(Log *self);

/* stored.c */

/* As SpooledQueue.admit, where all is well and nothing older is unread: 1: taken; 0: the Python code has to look, and
   nothing has changed; -1: an error is set. */
int antinode_admit_stored(Log *self, PyObject *record, PyObject *body, PyObject *now);

/* admission.c again */

/* Hand the record over: 0, or -1 with an error set. */
int antinode_deliver(Log *self, PyObject *record, PyObject *body, PyObject *now);

#endif

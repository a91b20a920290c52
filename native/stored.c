/* A record of a client with a store is put there, counted and queued: what SpooledQueue.admit does, where all is well, and
   Spool.append into mapped memory. */

#include "counts.h"
#include "guard.h"
#include "log.h"

/* The truth of what lies in a slot; -1 with an error set. */
static int
is_true(PyObject *object, Py_ssize_t at)
{
    PyObject *value = *slot(object, at);
    if (value == Py_False || value == Py_True) {
        return value == Py_True;
    }
    Py_XINCREF(value);
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a slot is empty");
    }
    Py_XDECREF(value);
    return truth;
}

/* Whether all is well: nothing is in the way of a record that goes into the store next. */
static int
is_well(Log *self)
{
    PyObject *spooled = self->spooled;
    return !(is_true(spooled, self->at_is_admitting) || is_true(spooled, self->at_rear)
             || is_true(spooled, self->at_has_ended) || is_true(spooled, self->at_interrupting)
             || *slot(self->ledger, self->at_epoch) == NULL);
}

/* Whether there is room in memory. */
static int
has_room(Log *self)
{
    PyObject *ledger = self->ledger;
    return *count_in(ledger, self->at_pending) - *count_in(ledger, self->at_on_disk) < self->memory_events
        && *count_in(ledger, self->at_pending_bytes) - *count_in(ledger, self->at_on_disk_bytes) < self->memory_bytes;
}

/* Whether all is well, nothing older is unread, and there is room in memory. */
static int
is_plain(Log *self)
{
    return is_well(self) && !is_true(self->spooled, self->at_is_behind) && has_room(self);
}

/* The segment that is appended to, if it is mapped (borrowed); else NULL. */
static PyObject *
mapped_segment(Log *self)
{
    PyObject *segment = *slot(self->spool, self->at_current);
    return segment != NULL && (PyObject *)Py_TYPE(segment) == self->mapped_type ? segment : NULL;
}

/* Whether all records are read that were appended to be read, and how many those were; -1 with an error set. */
static int
is_all_read(Log *self, long long *buffered)
{
    *buffered = antinode_count_at(self->spool, self->at_buffered);
    long long taken = *buffered == -1 ? -1 : antinode_count_at(self->spool, self->at_taken);
    return taken == -1 ? -1 : *buffered == taken;
}

/* Count a record that is in the store alone, and remember that somebody may have its handle: 0, or -1 with an error set, and
   nothing has changed. */
static int
enter_on_disk(Log *self, PyObject *record, PyObject *epoch, Py_ssize_t size, long long buffered)
{
    PyObject *ledger = self->ledger;
    long long accepted = antinode_count_at(epoch, self->at_epoch_accepted);
    long long on_disk = PyErr_Occurred() ? -1 : antinode_count_at(epoch, self->at_epoch_on_disk);
    PyObject *new_accepted = NULL, *new_on_disk = NULL, *new_buffered = NULL;
    if (PyErr_Occurred() || (new_accepted = PyLong_FromLongLong(accepted + 1)) == NULL
        || (new_on_disk = PyLong_FromLongLong(on_disk + 1)) == NULL
        || (new_buffered = PyLong_FromLongLong(buffered + 1)) == NULL || PyList_Append(self->recent, record) < 0) {
        Py_XDECREF(new_accepted);
        Py_XDECREF(new_on_disk);
        Py_XDECREF(new_buffered);
        return -1;
    }
    replace(record, self->at_record_epoch, Py_NewRef(epoch));
    replace(epoch, self->at_epoch_accepted, new_accepted);
    replace(epoch, self->at_epoch_on_disk, new_on_disk);
    replace(self->spool, self->at_buffered, new_buffered);
    *count_in(ledger, self->at_accepted) += 1;
    *count_in(ledger, self->at_pending) += 1;
    *count_in(ledger, self->at_pending_bytes) += size;
    *count_in(ledger, self->at_on_disk) += 1;
    *count_in(ledger, self->at_on_disk_bytes) += size;
    return 0;
}

/* As MappedSegment.append and all that leads there, in one step: in the midst of it no code runs, nor another thread, from
   the look at what is there to the last count. 1: taken; 0: left to Python, and nothing has changed, with or without an error
   set. */
static int
admit_mapped(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    if (self->mapped == NULL || self->guard == NULL || antinode_guard_is_elsewhere(self->guard) || !is_well(self)) {
        return 0;
    }
    PyObject *segment = mapped_segment(self);
    int is_behind = is_true(self->spooled, self->at_is_behind);
    if (segment == NULL || is_behind < 0 || (!is_behind && !has_room(self))) {
        return 0;
    }
    /* The first that only the store has leaves a mark there, which is Python's. */
    long long buffered;
    if (is_all_read(self, &buffered) != !is_behind) {
        return 0;
    }
    long long start = antinode_count_at(segment, self->at_end), nth = antinode_count_at(segment, self->at_count);
    long long limit = antinode_count_at(segment, self->at_limit), slots = antinode_count_at(segment, self->at_slots);
    long long salt = antinode_count_at(segment, self->at_salt), base = antinode_count_at(segment, self->at_base);
    Py_ssize_t size = PyBytes_GET_SIZE(body);
    long long end = start + FRAME_SIZE + size;
    PyObject *memory = *slot(segment, self->at_map);
    if (PyErr_Occurred() || memory == NULL || start < 0 || nth < 0 || end > limit || nth >= slots) {
        return 0;
    }
    /* All that can fail comes before anything changes. */
    Py_buffer mapped;
    if (PyObject_GetBuffer(memory, &mapped, PyBUF_WRITABLE) < 0) {
        return 0;
    }
    PyObject *new_end = PyLong_FromLongLong(end), *new_count = PyLong_FromLongLong(nth + 1);
    PyObject *place = PyLong_FromLongLong(base + nth), *epoch = Py_NewRef(*slot(self->ledger, self->at_epoch));
    double logged_at = PyFloat_AsDouble(now);
    int taken = 0;
    if (new_end != NULL && new_count != NULL && place != NULL && !PyErr_Occurred() && end <= mapped.len
        && (is_behind ? enter_on_disk(self, record, epoch, size, buffered) : antinode_enter(self, record, epoch, size)) == 0) {
        /* The frame, and then what says that it is there; a process that is killed in between has a torn record at the end, of
           a call that had not returned. */
        antinode_put_frame((unsigned char *)mapped.buf + start, (uint32_t)salt, (uint32_t)nth, logged_at, body);
        replace(segment, self->at_end, Py_NewRef(new_end));
        replace(segment, self->at_count, Py_NewRef(new_count));
        replace(record, self->at_record_place, Py_NewRef(place));
        taken = 1;
    }
    PyBuffer_Release(&mapped);
    Py_XDECREF(new_end);
    Py_XDECREF(new_count);
    Py_XDECREF(place);
    Py_DECREF(epoch);
    return taken;
}

/* So many records that are in the store alone are held until it is looked who else holds them. */
#define MOST_RECENT 256

/* Before the next one, which its caller is going to have: 0, or -1 with an error set. */
static int
look_if_due(Log *self)
{
    if (PyList_GET_SIZE(self->recent) < MOST_RECENT) {
        return 0;
    }
    PyObject *done = PyObject_CallNoArgs(self->look);
    Py_XDECREF(done);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear(); /* the next record looks again */
        return 0;
    }
    return done == NULL ? -1 : 0;
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

/* The same, by the store's own `append`. */
static int
admit_by_python(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    if (antinode_acquire(self) < 0) {
        return -1;
    }
    int taken = 0;
    PyObject *ledger = self->ledger, *spooled = self->spooled;
    Py_ssize_t size = PyBytes_GET_SIZE(body);
    if (!is_plain(self)) {
        goto end;
    }
    /* A signal handler may log in the middle of what the store does. */
    replace(spooled, self->at_is_admitting, Py_NewRef(Py_True));
    PyObject *place = place_of(self, body, now);
    if (place != NULL) {
        replace(record, self->at_record_place, place);
        PyObject *epoch = Py_NewRef(*slot(ledger, self->at_epoch));
        taken = antinode_enter(self, record, epoch, size) < 0 ? -1 : 1;
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
    antinode_release(self);
    if (taken == 0 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear(); /* the store refuses: the Python code sees it too, and knows what follows */
    }
    return PyErr_Occurred() ? -1 : taken;
}

int
antinode_admit_stored(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    if (look_if_due(self) < 0) {
        return -1;
    }
    int taken = admit_mapped(self, record, body, now);
    if (taken) {
        return taken;
    }
    if (PyErr_Occurred()) {
        /* Of a lack of memory Python hears, when it lacks it as well. */
        PyErr_Clear();
    }
    return admit_by_python(self, record, body, now);
}

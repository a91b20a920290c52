/* A record of a client with a store is put there, counted and queued: what SpooledQueue.admit does, where all is well, and
   Spool.append into mapped memory. */

#include "counts.h"
#include "guard.h"
#include "log.h"

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

/* Whether all is well, nothing older is unread, and there is room in memory. */
static int
is_plain(Log *self)
{
    PyObject *ledger = self->ledger, *spooled = self->spooled;
    return !(is_true(spooled, self->at_is_admitting) || is_true(spooled, self->at_is_behind)
             || is_true(spooled, self->at_rear) || is_true(spooled, self->at_has_ended)
             || is_true(spooled, self->at_interrupting)
             || *count_in(ledger, self->at_pending) - antinode_count_at(ledger, self->at_on_disk) >= self->memory_events
             || *count_in(ledger, self->at_pending_bytes) - antinode_count_at(ledger, self->at_on_disk_bytes)
                 >= self->memory_bytes
             || *slot(ledger, self->at_epoch) == NULL);
}

/* The segment that is appended to, if it is mapped and nothing in it waits to be read (borrowed); else NULL, with or without
   an error set. */
static PyObject *
mapped_segment(Log *self)
{
    PyObject *segment = *slot(self->spool, self->at_current);
    long long buffered = antinode_count_at(self->spool, self->at_buffered);
    return buffered != -1 && buffered == antinode_count_at(self->spool, self->at_taken) && segment != NULL
            && (PyObject *)Py_TYPE(segment) == self->mapped_type
        ? segment : NULL;
}

/* As MappedSegment.append and all that leads there, in one step: in the midst of it no code runs, nor another thread, from
   the look at what is there to the last count. 1: taken; 0: not plain, and nothing has changed, with or without an error set;
   -1: an error is set. */
static int
admit_mapped(Log *self, PyObject *record, PyObject *body, PyObject *now)
{
    if (self->mapped == NULL || self->guard == NULL || antinode_guard_is_elsewhere(self->guard) || !is_plain(self)) {
        return 0;
    }
    PyObject *segment = mapped_segment(self);
    if (segment == NULL) {
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
        && antinode_enter(self, record, epoch, size) == 0) {
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

/* A record is counted and queued: what Core.admit does, and SpooledQueue.admit. */

#include "counts.h"
#include "guard.h"
#include "log.h"

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
PyObject *
antinode_not_here(Log *self)
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
    long long accepted = antinode_count_at(epoch, self->at_epoch_accepted);
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
        || *count_in(ledger, self->at_pending) - antinode_count_at(ledger, self->at_on_disk) >= self->memory_events
        || *count_in(ledger, self->at_pending_bytes) - antinode_count_at(ledger, self->at_on_disk_bytes) >= self->memory_bytes
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
    long long at = antinode_count_at(self->wakeup, self->at_threshold);
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
int
antinode_deliver(Log *self, PyObject *record, PyObject *body, PyObject *now)
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

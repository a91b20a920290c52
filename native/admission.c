/* A record is counted and queued: what Core.admit does. */

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

int
antinode_enter(Log *self, PyObject *record, PyObject *epoch, Py_ssize_t size)
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

int
antinode_acquire(Log *self)
{
    PyObject *done = PyObject_CallNoArgs(self->acquire);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

void
antinode_release(Log *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallNoArgs(self->release);
    Py_XDECREF(done);
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
}

/* As Core._admit: 1: taken; 0: there is no room; -1: an error is set, and nothing has changed. */
static int
admit(Log *self, PyObject *record, Py_ssize_t size)
{
    /* From here to the end the interpreter's lock is not given up: a guard that nobody else holds need not be taken. */
    int takes_guard = self->guard == NULL || antinode_guard_is_elsewhere(self->guard);
    if (takes_guard && antinode_acquire(self) < 0) {
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
    taken = antinode_enter(self, record, epoch, size) < 0 ? -1 : 1;
end:
    Py_XDECREF(epoch);
    if (takes_guard) {
        antinode_release(self);
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
        taken = antinode_admit_stored(self, record, body, now);
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

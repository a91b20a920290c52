/* An event is led through the client's middleware: what Pipeline.lead of antinode/_pipeline/pipeline.py does for ordinary
   events, and what comes after it. Once a middleware has run, nothing is begun anew: what is rare then is Python's to
   finish. */

#include "chain.h"
#include "log.h"

/* The payload for an event that is plainly ordinary; None when it is left to Python; NULL with an error set. */
static PyObject *
payload_of(Log *self, PyObject *event, PyObject *context, PyObject *extra)
{
    PyObject *event_of_ours = antinode_complete(self, event, context);
    if (event_of_ours == NULL || event_of_ours == Py_None) {
        return event_of_ours;
    }
    PyObject *fields[2] = {event_of_ours, extra};
    PyObject *payload = PyObject_Vectorcall(self->payload_type, fields, 2, NULL);
    Py_DECREF(event_of_ours);
    return payload;
}

/* Log what has come out at the end. */
static PyObject *
log_passed(Log *self, PyObject *arrived)
{
    if ((PyObject *)Py_TYPE(arrived) == self->payload_type) {
        PyObject *event = Py_XNewRef(*slot(arrived, self->at_payload_event));
        PyObject *record = event == NULL || !PyDict_CheckExact(event) ? Py_NewRef(Py_None) : antinode_log_ready(self, event);
        Py_XDECREF(event);
        if (record != Py_None) {
            return record;
        }
        Py_DECREF(record);
    }
    return PyObject_CallOneArg(self->record_passed, arrived);
}

PyObject *
antinode_lead(Log *self, PyObject *event, PyObject *context, PyObject *extra)
{
    PyObject *payload = payload_of(self, event, context, extra);
    if (payload == NULL) {
        return antinode_not_here(self);
    }
    if (payload == Py_None) {
        return payload;
    }
    PyObject *arrived = antinode_run_chain(self->chain, payload), *record;
    Py_DECREF(payload);
    if (arrived == NULL) {
        return PyErr_ExceptionMatches(PyExc_MemoryError) ? antinode_not_here(self) : NULL;
    }
    record = arrived == Py_None                                ? PyObject_CallNoArgs(self->skip_held_back)
        : (PyObject *)Py_TYPE(arrived) == self->broken_type    ? PyObject_CallOneArg(self->refuse_broken, arrived)
                                                               : log_passed(self, arrived);
    Py_DECREF(arrived);
    return record;
}

/* What is known of whoever is being served is filled into an event: what antinode/_context.py does, for ordinary events. */

#include "log.h"

/* Whether the user of the context, if it has one, is the event's, if that has one; -1 with an error set. */
static int
is_of_the_user(Log *self, PyObject *event, PyObject *fields)
{
    PyObject *user = PyDict_GetItemWithError(fields, self->n_roles[USER_ID]);
    PyObject *own = user == NULL ? NULL : PyDict_GetItemWithError(event, self->n_roles[USER_ID]);
    if (own == NULL) {
        return PyErr_Occurred() ? -1 : 1;
    }
    return own == user || own == Py_None
        || (PyUnicode_CheckExact(own) && PyUnicode_CheckExact(user) && PyUnicode_Compare(own, user) == 0);
}

/* The events that Amplitude has types of its own for are left to the Python code. */
static int
is_of_the_application(Log *self, PyObject *event)
{
    PyObject *type = PyDict_GetItemWithError(event, self->n_roles[EVENT_TYPE]);
    return type != NULL && PyUnicode_CheckExact(type) && PyUnicode_GET_LENGTH(type) > 0
        && PyUnicode_READ_CHAR(type, 0) != '$';
}

PyObject *
antinode_encode_in(Log *self, PyObject *event, PyObject *context, Roles *roles)
{
    if (!PyDict_CheckExact(event) || !Py_IS_TYPE(context, (PyTypeObject *)self->context_type)
        || !is_of_the_application(self, event)) {
        return NULL;
    }
    /* Never changed, but replaced. */
    PyObject *fields = Py_XNewRef(*slot(context, self->at_context_fields)), *body = NULL;
    if (fields != NULL && PyDict_CheckExact(fields) && is_of_the_user(self, event, fields) == 1) {
        body = antinode_encode(self, event, fields, roles);
    }
    Py_XDECREF(fields);
    return body;
}

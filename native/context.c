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

int
antinode_fields_for(Log *self, PyObject *event, PyObject **fields)
{
    PyObject *context;
    *fields = NULL;
    if (PyContextVar_Get(self->context, NULL, &context) < 0) {
        return -1;
    }
    int is_known = context == Py_None
        || (PyDict_CheckExact(event) && Py_IS_TYPE(context, (PyTypeObject *)self->context_type)
            && is_of_the_application(self, event));
    if (context != Py_None && is_known) {
        /* Never changed, but replaced. */
        *fields = Py_XNewRef(*slot(context, self->at_context_fields));
        is_known = *fields != NULL && PyDict_CheckExact(*fields) && is_of_the_user(self, event, *fields) == 1;
    }
    Py_DECREF(context);
    if (!is_known) {
        Py_CLEAR(*fields);
        return -1;
    }
    return 0;
}

/* Merge what a context has into a field of an event: 0, or -1 when the slow path has to look, maybe with an error set. */
static int
merge(PyObject *event, PyObject *key, PyObject *own, PyObject *value)
{
    PyObject *both = PyDict_New();
    int is_done = both == NULL || !PyDict_CheckExact(own) || PyDict_Update(both, value) < 0 || PyDict_Update(both, own) < 0
        ? -1 : PyDict_SetItem(event, key, both);
    Py_XDECREF(both);
    return is_done;
}

int
antinode_add_absent(Log *self, PyObject *event, PyObject *context)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (context != NULL && PyDict_Next(context, &position, &key, &value)) {
        PyObject *own = PyDict_GetItemWithError(event, key);
        int is_merged = key == self->n_event_properties || key == self->n_groups;
        if ((own == NULL && PyErr_Occurred()) || own == Py_None
            || (own == NULL ? PyDict_SetItem(event, key, value) : is_merged ? merge(event, key, own, value) : 0) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Which handles the application has kept: `keep_held` of antinode/_delivery/core/handles.py. */

#include "slots.h"

static int
is_last(PyObject *list, PyObject *object)
{
    Py_ssize_t size = PyList_GET_SIZE(list);
    return size > 0 && PyList_GET_ITEM(list, size - 1) == object;
}

/* Have the last record found by its place, and no longer in the list: 0, or -1 with an error set. Both in one step, so that
   whoever comes in between finds it in one of them. */
static int
keep_last(PyObject *recent, PyObject *record, PyObject *references)
{
    PyObject *place = PyObject_GetAttrString(record, "place");
    PyObject *reference = place == NULL ? NULL : PyWeakref_NewRef(record, NULL);
    int failed = reference == NULL;
    if (reference != NULL && !PyLong_CheckExact(place)) {
        PyErr_SetString(PyExc_TypeError, "a record's place is no number");
        failed = 1;
    }
    /* Making the reference may have run anything, and with it this. */
    if (!failed && is_last(recent, record)) {
        Py_ssize_t size = PyList_GET_SIZE(recent);
        failed = PyDict_SetItem(references, place, reference) < 0 || PyList_SetSlice(recent, size - 1, size, NULL) < 0;
    }
    Py_XDECREF(place);
    Py_XDECREF(reference);
    return failed ? -1 : 0;
}

/* keep_held(recent, references) */
PyObject *
antinode_keep_held(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0]) || !PyDict_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "give a list of records, and a dict");
        return NULL;
    }
    PyObject *recent = args[0];
    Py_ssize_t size;
    while ((size = PyList_GET_SIZE(recent)) > 0) {
        PyObject *record = Py_NewRef(PyList_GET_ITEM(recent, size - 1));
        /* The list has it, and this; if nobody else does, nobody will ask for it. */
        int failed = Py_REFCNT(record) > 2 ? keep_last(recent, record, args[1]) < 0
                                           : PyList_SetSlice(recent, size - 1, size, NULL) < 0;
        Py_DECREF(record);
        if (failed) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

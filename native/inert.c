#include "inert.h"
#include <datetime.h>

int
antinode_prepare_inert(void)
{
    PyDateTime_IMPORT;
    return PyDateTimeAPI == NULL ? -1 : 0;
}

int
antinode_is_leaf(PyObject *value, PyObject *uuid_type)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type
        || value == Py_None || (PyDateTime_CheckExact(value) && PyDateTime_DATE_GET_TZINFO(value) == Py_None)
        || PyDate_CheckExact(value) || (PyTime_CheckExact(value) && PyDateTime_TIME_GET_TZINFO(value) == Py_None)
        || (PyObject *)type == uuid_type;
}

/* Look at how large a value is as JSON. */
static void
add(PyObject *value, JsonSize *size, int layers)
{
    if (PyUnicode_Check(value)) {
        /* What is not ASCII is kept in UTF-8 beside. */
        Py_ssize_t length = PyUnicode_GET_LENGTH(value) * (PyUnicode_IS_COMPACT_ASCII(value) ? 1 : 6);
        size->total += length + 4;
        size->longest = Py_MAX(size->longest, length);
        return;
    }
    size->total += 40;
    if (layers == 0 || size->total > INERT_BYTES) {
        return;
    }
    if (PyDict_CheckExact(value)) {
        Py_ssize_t position = 0;
        PyObject *key, *each;
        while (PyDict_Next(value, &position, &key, &each)) {
            add(key, size, layers - 1);
            add(each, size, layers - 1);
        }
    }
    else if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(value); at++) {
            add(PySequence_Fast_GET_ITEM(value, at), size, layers - 1);
        }
    }
}

static PyObject *
copy_of_dict(PyObject *value, PyObject *uuid_type, PyObject *copy, int layers)
{
    PyObject *made = PyDict_New();
    if (made == NULL || PyDict_Update(made, value) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    /* Nobody else has it, so that putting values in the place of others is all that changes it. */
    Py_ssize_t position = 0;
    PyObject *key, *each;
    while (PyDict_Next(made, &position, &key, &each)) {
        if (!PyUnicode_CheckExact(key)) {
            PyErr_SetString(PyExc_TypeError, "a key is no text");
            Py_DECREF(made);
            return NULL;
        }
        Py_INCREF(key);
        Py_INCREF(each);
        PyObject *inert = antinode_inert_copy(each, uuid_type, copy, layers - 1);
        int failed = inert == NULL || (inert != each && PyDict_SetItem(made, key, inert) < 0);
        Py_DECREF(key);
        Py_DECREF(each);
        Py_XDECREF(inert);
        if (failed) {
            Py_DECREF(made);
            return NULL;
        }
    }
    return made;
}

static PyObject *
copy_of_list(PyObject *value, PyObject *uuid_type, PyObject *copy, int layers)
{
    PyObject *made = PySequence_List(value);
    for (Py_ssize_t at = 0; made != NULL && at < PyList_GET_SIZE(made); at++) {
        PyObject *each = Py_NewRef(PyList_GET_ITEM(made, at));
        PyObject *inert = antinode_inert_copy(each, uuid_type, copy, layers - 1);
        Py_DECREF(each);
        if (inert == NULL || PyList_SetItem(made, at, inert) < 0) {
            Py_CLEAR(made);
        }
    }
    return made;
}

PyObject *
antinode_inert_copy(PyObject *value, PyObject *uuid_type, PyObject *copy, int layers)
{
    PyTypeObject *type = Py_TYPE(value);
    if (layers == 0) {
        PyErr_SetString(PyExc_RecursionError, "there are too many layers");
        return NULL;
    }
    if (type == &PyDict_Type) {
        return copy_of_dict(value, uuid_type, copy, layers);
    }
    if (type == &PyList_Type || type == &PyTuple_Type) {
        return copy_of_list(value, uuid_type, copy, layers);
    }
    return antinode_is_leaf(value, uuid_type) ? Py_NewRef(value) : PyObject_CallOneArg(copy, value);
}

int
antinode_reserve(const JsonSize *size)
{
    /* Its buffer grows by doubling, reserves eight times a text's length, and may have to be moved. */
    size_t wanted = 3 * (2 * (size_t)size->total + 8 * (size_t)size->longest) + 4096;
    void *memory = PyMem_Malloc(wanted);
    if (memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(memory);
    return 0;
}

PyObject *
antinode_reserve_for(PyObject *Py_UNUSED(module), PyObject *value)
{
    JsonSize size = {0};
    add(value, &size, INERT_LAYERS);
    if (antinode_reserve(&size) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

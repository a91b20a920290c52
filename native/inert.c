#include "inert.h"
#include <datetime.h>

int
antinode_prepare_inert(void)
{
    PyDateTime_IMPORT;
    return PyDateTimeAPI == NULL ? -1 : 0;
}

static inline void
add_text(JsonSize *size, PyObject *text)
{
    /* What is not ASCII is kept in UTF-8 beside. */
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (!PyUnicode_IS_COMPACT_ASCII(text)) {
        length *= 6;
    }
    size->total += length + 4;
    if (length > size->longest) {
        size->longest = length;
    }
}

static int
are_inert(PyObject *container, PyObject *uuid_type, JsonSize *size, int layers)
{
    int are = 1;
    if (PyDict_CheckExact(container)) {
        Py_ssize_t position = 0;
        PyObject *key, *each;
        while (are >= 0 && PyDict_Next(container, &position, &key, &each)) {
            if (PyUnicode_CheckExact(key)) {
                add_text(size, key);
            }
            else {
                are = 0;
            }
            if (PyUnicode_CheckExact(each)) {
                add_text(size, each);
                continue;
            }
            int is = antinode_is_inert(each, uuid_type, size, layers);
            are = Py_MIN(are, is);
        }
        return are;
    }
    for (Py_ssize_t at = 0; are >= 0 && at < PySequence_Fast_GET_SIZE(container); at++) {
        int is = antinode_is_inert(PySequence_Fast_GET_ITEM(container, at), uuid_type, size, layers);
        are = Py_MIN(are, is);
    }
    return are;
}

int
antinode_is_inert(PyObject *value, PyObject *uuid_type, JsonSize *size, int layers)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        add_text(size, value);
        return 1;
    }
    size->total += 24;
    if (size->total > INERT_BYTES) {
        return -1;
    }
    if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None) {
        return 1;
    }
    if (type == &PyDict_Type || type == &PyList_Type || type == &PyTuple_Type) {
        return layers == 0 ? -1 : are_inert(value, uuid_type, size, layers - 1);
    }
    size->total += 16;
    return (PyDateTime_CheckExact(value) && PyDateTime_DATE_GET_TZINFO(value) == Py_None) || PyDate_CheckExact(value)
        || (PyTime_CheckExact(value) && PyDateTime_TIME_GET_TZINFO(value) == Py_None) || (PyObject *)type == uuid_type;
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
    JsonSize size = {0};
    return antinode_is_inert(value, uuid_type, &size, 0) == 1 ? Py_NewRef(value) : PyObject_CallOneArg(copy, value);
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
    antinode_is_inert(value, NULL, &size, INERT_LAYERS);
    if (antinode_reserve(&size) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

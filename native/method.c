/* Client.log_event as a method in C: an ordinary event goes to the client's `_hot`, every other call to the Python
   method that this one took the place of. */

#include "method.h"

/* Where a client keeps its `_hot`: the same in every interpreter, for it is in the layout of the class. */
static Py_ssize_t at_hot = -1;

static PyObject *
in_python(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t total = count + (names == NULL ? 0 : PyTuple_GET_SIZE(names));
    PyObject *few[8], **all = few;
    if (total >= (Py_ssize_t)(sizeof few / sizeof *few)) {
        all = PyMem_Malloc((size_t)(total + 1) * sizeof *all);
        if (all == NULL) {
            return PyErr_NoMemory();
        }
    }
    all[0] = self;
    memcpy(all + 1, args, (size_t)total * sizeof *all);
    PyObject *name = PyUnicode_InternFromString("_log_in_python");
    PyObject *result = name == NULL ? NULL : PyObject_VectorcallMethod(name, all, (size_t)count + 1, names);
    Py_XDECREF(name);
    if (all != few) {
        PyMem_Free(all);
    }
    return result;
}

/* What is given beside the event, or None; NULL when the call is unusual. */
static PyObject *
extra_of(PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    if (named == 0) {
        return count == 1 ? Py_None : count == 2 ? args[1] : NULL;
    }
    int is_extra = count == 1 && named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "extra") == 0;
    return is_extra ? args[1] : NULL;
}

static PyObject *
method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *hot = *slot(self, at_hot);
    PyObject *extra = extra_of(args, count, names);
    if (extra != NULL && hot != NULL && antinode_is_log(hot)) {
        Py_INCREF(hot);
        PyObject *result = antinode_log_event(hot, args[0], extra);
        Py_DECREF(hot);
        if (result != Py_None) {
            return result;
        }
        Py_DECREF(result);
    }
    return in_python(self, args, count, names);
}

static PyMethodDef definition = {
    "log_event", (PyCFunction)(void (*)(void))method, METH_FASTCALL | METH_KEYWORDS, NULL,
};

/* log_method(type, hot, doc): the method for a type that has a method `_log_in_python`, and keeps its `_hot` in the slot that
   is given. The text begins with the signature. */
PyObject *
antinode_log_method(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyType_Check(args[0]) || !PyUnicode_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "give a type, a descriptor and a text");
        return NULL;
    }
    Py_ssize_t offset = antinode_place_of(args[1], T_OBJECT_EX);
    if (offset < 0) {
        return NULL;
    }
    if (!PyObject_HasAttrString(args[0], "_log_in_python")) {
        PyErr_SetString(PyExc_TypeError, "the type has no _log_in_python");
        return NULL;
    }
    if (definition.ml_doc == NULL) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(args[2], &size);
        /* For as long as the process lives, as all method definitions. */
        char *doc = text == NULL ? NULL : PyMem_RawMalloc((size_t)size + 1);
        if (doc == NULL) {
            return text == NULL ? NULL : PyErr_NoMemory();
        }
        memcpy(doc, text, (size_t)size + 1);
        definition.ml_doc = doc;
    }
    at_hot = offset;
    return PyDescr_NewMethod((PyTypeObject *)args[0], &definition);
}

/* A reentrant lock that compiled code can look into: while the interpreter's lock is held and nobody else has the
   guard, what it protects can be changed at once, without taking it. To Python it is an RLock without arguments. */

#include "guard.h"

int
antinode_guard_is_elsewhere(PyObject *object)
{
    const Guard *guard = (const Guard *)object;
    return guard->count && guard->owner != PyThread_get_thread_ident();
}

static PyObject *
Guard_acquire(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Guard *guard = (Guard *)object;
    unsigned long me = PyThread_get_thread_ident();
    if (guard->count && guard->owner == me) {
        guard->count++;
        Py_RETURN_TRUE;
    }
    if (!PyThread_acquire_lock(guard->lock, NOWAIT_LOCK)) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(guard->lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    guard->owner = me;
    guard->count = 1;
    Py_RETURN_TRUE;
}

static PyObject *
Guard_release(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Guard *guard = (Guard *)object;
    if (!guard->count || guard->owner != PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "this thread does not hold the guard");
        return NULL;
    }
    if (--guard->count == 0) {
        guard->owner = 0;
        PyThread_release_lock(guard->lock);
    }
    Py_RETURN_NONE;
}

static PyObject *
Guard_exit(PyObject *object, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(count))
{
    return Guard_release(object, NULL);
}

static PyObject *
Guard_is_owned(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    const Guard *guard = (const Guard *)object;
    return PyBool_FromLong(guard->count && guard->owner == PyThread_get_thread_ident());
}

static PyObject *
Guard_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Guard", names)) {
        return NULL;
    }
    Guard *guard = (Guard *)type->tp_alloc(type, 0);
    if (guard != NULL && (guard->lock = PyThread_allocate_lock()) == NULL) {
        Py_DECREF(guard);
        return PyErr_NoMemory();
    }
    return (PyObject *)guard;
}

static void
Guard_dealloc(PyObject *object)
{
    Guard *guard = (Guard *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (guard->lock != NULL) {
        if (guard->count) {
            PyThread_release_lock(guard->lock);
        }
        PyThread_free_lock(guard->lock);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

destructor
antinode_guard_dealloc(void)
{
    return Guard_dealloc;
}

static PyMethodDef Guard_methods[] = {
    {"acquire", Guard_acquire, METH_NOARGS, NULL},
    {"release", Guard_release, METH_NOARGS, NULL},
    {"__enter__", Guard_acquire, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))Guard_exit, METH_FASTCALL, NULL},
    {"_is_owned", Guard_is_owned, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Guard_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("A reentrant lock, as threading.RLock, that compiled code can look into.")},
    {Py_tp_new, Guard_new},
    {Py_tp_dealloc, Guard_dealloc},
    {Py_tp_methods, Guard_methods},
    {0, NULL},
};

PyType_Spec antinode_guard_spec = {
    .name = "antinode._native.Guard",
    .basicsize = sizeof(Guard),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Guard_slots,
};

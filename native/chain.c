/* The middleware chain: `run_chain` of antinode/_middleware.py, which is the reference. One object for each middleware that
   an event comes to, its `next`, and one frame of C between two middlewares. */

#include "chain.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *middleware;     /* a tuple of functions */
    PyObject *payload_type, *broken_type;
    PyObject *check_call, *check_returned;         /* Python's, for what is rare */
    PyObject *next_type;
} Chain;

/* What a middleware is given to pass a payload on. The first one of an event knows of its way. */
typedef struct Next {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    struct Next *first;       /* NULL in the first one */
    Py_ssize_t position;
    int was_called;
    /* In the first one alone. */
    PyObject *chain;
    PyObject *arrived;
    PyObject *first_error, *first_by;              /* what was raised first, whoever caught it, and by which middleware */
    PyObject *last_error, *last_by;                /* and last */
    int is_over;
} Next;

static Next *
first_of(Next *self)
{
    return self->first != NULL ? self->first : self;
}

static Chain *
chain_of(Next *self)
{
    return (Chain *)first_of(self)->chain;
}

/* The middleware at this place (a new reference); None in a chain that the collector has cleared. */
static PyObject *
middleware_at(Chain *chain, Py_ssize_t position)
{
    int is_there = position < PyTuple_GET_SIZE(chain->middleware);
    return Py_NewRef(is_there ? PyTuple_GET_ITEM(chain->middleware, position) : Py_None);
}

/* Keep the event from being sent for what was raised, even if that is caught. The error stays set. */
static void
note_error(Next *first, PyObject *fn)
{
    PyObject *type, *error, *traceback;
    if (first->is_over || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return;
    }
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    if (first->last_error != error) {
        Py_XSETREF(first->last_error, Py_NewRef(error));
        Py_XSETREF(first->last_by, Py_NewRef(fn));
    }
    if (first->first_error == NULL) {
        first->first_error = Py_NewRef(error);
        Py_XSETREF(first->first_by, Py_NewRef(fn));
    }
    PyErr_Restore(type, error, traceback);
}

/* Have one of Python's checks raise, if there is anything wrong: 0, or -1 with an error set. */
static int
check(PyObject *function, PyObject *const *args, Py_ssize_t count)
{
    PyObject *done = PyObject_Vectorcall(function, args, (size_t)count, NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static Next *make_next(Chain *chain, Next *first, Py_ssize_t position);

/* Run the middleware of this `next`, and by it the others: 0, or -1 with an error set. */
static int
run(Next *next, PyObject *payload)
{
    Chain *chain = (Chain *)Py_NewRef(first_of(next)->chain);
    PyObject *fn = middleware_at(chain, next->position);
    PyObject *args[3] = {NULL, payload, (PyObject *)next};
    PyObject *returned = PyObject_Vectorcall(fn, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    int failed = returned == NULL;
    if (!failed && returned != Py_None) {
        PyObject *given[2] = {fn, returned};
        failed = check(chain->check_returned, given, 2) < 0;
    }
    if (failed) {
        note_error(first_of(next), fn);
    }
    Py_XDECREF(returned);
    Py_DECREF(fn);
    Py_DECREF(chain);
    return failed ? -1 : 0;
}

/* The payload was passed on: 0, or -1 with an error set. */
static int
pass_on(Next *self, PyObject *payload)
{
    Next *first = first_of(self);
    Chain *chain = chain_of(self);
    if (first->is_over || self->was_called || (PyObject *)Py_TYPE(payload) != chain->payload_type) {
        PyObject *fn = middleware_at(chain, self->position);
        PyObject *given[4] = {fn, payload, self->was_called ? Py_True : Py_False, first->is_over ? Py_True : Py_False};
        int is_wrong = check(chain->check_call, given, 4) < 0;
        if (is_wrong) {
            note_error(first, fn);
        }
        Py_DECREF(fn);
        if (is_wrong) {
            return -1;
        }
    }
    self->was_called = 1;
    if (self->position == PyTuple_GET_SIZE(chain->middleware) - 1) {
        Py_XSETREF(first->arrived, Py_NewRef(payload));
        return 0;
    }
    Next *next = make_next(chain, first, self->position + 1);
    int failed = next == NULL || Py_EnterRecursiveCall(" in the middleware");
    if (!failed) {
        failed = run(next, payload) < 0;
        Py_LeaveRecursiveCall();
    }
    Py_XDECREF(next);
    return failed ? -1 : 0;
}

static PyObject *
Next_vectorcall(PyObject *object, PyObject *const *args, size_t flags, PyObject *names)
{
    if (PyVectorcall_NARGS(flags) != 1 || (names != NULL && PyTuple_GET_SIZE(names))) {
        PyErr_SetString(PyExc_TypeError, "next() takes the payload, and nothing else: write next(payload)");
        return NULL;
    }
    /* Whoever called may let go of it meanwhile. */
    Py_INCREF(object);
    int failed = pass_on((Next *)object, args[0]) < 0;
    Py_DECREF(object);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static Next *
make_next(Chain *chain, Next *first, Py_ssize_t position)
{
    PyTypeObject *type = (PyTypeObject *)chain->next_type;
    Next *next = (Next *)type->tp_alloc(type, 0);
    if (next != NULL) {
        next->vectorcall = Next_vectorcall;
        next->position = position;
        next->first = (Next *)Py_XNewRef(first);
        next->chain = first == NULL ? Py_NewRef(chain) : NULL;
    }
    return next;
}

/* The chain and the first one stay: whatever is still called asks for them. Each leads to what the collector clears. */
static int
Next_clear(PyObject *object)
{
    Next *self = (Next *)object;
    Py_CLEAR(self->arrived);
    Py_CLEAR(self->first_error);
    Py_CLEAR(self->first_by);
    Py_CLEAR(self->last_error);
    Py_CLEAR(self->last_by);
    return 0;
}

PyObject *
antinode_run_chain(PyObject *object, PyObject *payload)
{
    Chain *chain = (Chain *)object;
    if (PyTuple_GET_SIZE(chain->middleware) == 0) {
        return Py_NewRef(payload);
    }
    Next *first = make_next(chain, NULL, 0);
    if (first == NULL) {
        return NULL;
    }
    int failed = run(first, payload) < 0;
    first->is_over = 1;
    PyObject *end = NULL;
    if (failed ? PyErr_ExceptionMatches(PyExc_Exception) : first->first_error != NULL) {
        PyErr_Clear();
        PyObject *told[2] = {failed ? first->last_error : first->first_error, failed ? first->last_by : first->first_by};
        end = told[0] == NULL ? PyErr_NoMemory() : PyObject_Vectorcall(chain->broken_type, told, 2, NULL);
    }
    else if (!failed) {
        end = Py_NewRef(first->arrived != NULL ? first->arrived : Py_None);
    }
    /* Whoever keeps it, keeps no more than it needs. Destructors run with no error set. */
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    Next_clear((PyObject *)first);
    Py_DECREF(first);
    PyErr_Restore(type, error, traceback);
    return end;
}

static int
Next_traverse(PyObject *object, visitproc visit, void *arg)
{
    Next *self = (Next *)object;
    Py_VISIT(self->first);
    Py_VISIT(self->chain);
    Py_VISIT(self->arrived);
    Py_VISIT(self->first_error);
    Py_VISIT(self->first_by);
    Py_VISIT(self->last_error);
    Py_VISIT(self->last_by);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static void
Next_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Next *self = (Next *)object;
    PyObject_GC_UnTrack(object);
    Next_clear(object);
    Py_CLEAR(self->first);
    Py_CLEAR(self->chain);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef Next_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Next, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Next_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Passes a payload on to what comes after a middleware.")},
    {Py_tp_dealloc, Next_dealloc},
    {Py_tp_traverse, Next_traverse},
    {Py_tp_clear, Next_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, Next_members},
    {0, NULL},
};

PyType_Spec antinode_next_spec = {
    .name = "antinode._native.Next",
    .basicsize = sizeof(Next),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE
        | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Next_slots,
};

static PyObject *
Chain_vectorcall(PyObject *object, PyObject *const *args, size_t flags, PyObject *names)
{
    if (PyVectorcall_NARGS(flags) != 1 || (names != NULL && PyTuple_GET_SIZE(names))) {
        PyErr_SetString(PyExc_TypeError, "give a payload");
        return NULL;
    }
    Py_INCREF(object);
    PyObject *arrived = antinode_run_chain(object, args[0]);
    Py_DECREF(object);
    return arrived;
}

/* Chain(middleware, payload_type, broken_type, check_call, check_returned) */
static PyObject *
Chain_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"middleware", "payload_type", "broken_type", "check_call", "check_returned", NULL};
    PyObject *middleware, *payload_type, *broken_type, *check_call, *check_returned, *module = PyType_GetModule(type);
    if (module == NULL
        || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!OO", names, &PyTuple_Type, &middleware, &PyType_Type,
                                        &payload_type, &PyType_Type, &broken_type, &check_call, &check_returned)) {
        return NULL;
    }
    PyObject *next_type = PyObject_GetAttrString(module, "Next");
    Chain *self = next_type == NULL ? NULL : (Chain *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(next_type);
        return NULL;
    }
    self->vectorcall = Chain_vectorcall;
    self->middleware = Py_NewRef(middleware);
    self->payload_type = Py_NewRef(payload_type);
    self->broken_type = Py_NewRef(broken_type);
    self->check_call = Py_NewRef(check_call);
    self->check_returned = Py_NewRef(check_returned);
    self->next_type = next_type;
    return (PyObject *)self;
}

static int
Chain_traverse(PyObject *object, visitproc visit, void *arg)
{
    Chain *self = (Chain *)object;
    Py_VISIT(self->middleware);
    Py_VISIT(self->payload_type);
    Py_VISIT(self->broken_type);
    Py_VISIT(self->check_call);
    Py_VISIT(self->check_returned);
    Py_VISIT(self->next_type);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

/* No more than ends a circle, which leads through the middleware: what is still called needs the rest. */
static int
Chain_clear(PyObject *object)
{
    Chain *self = (Chain *)object;
    PyObject *none = PyTuple_New(0);
    if (none == NULL) {
        PyErr_Clear();
        return 0;
    }
    Py_XSETREF(self->middleware, none);
    return 0;
}

static void
Chain_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Chain *self = (Chain *)object;
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->middleware);
    Py_CLEAR(self->payload_type);
    Py_CLEAR(self->broken_type);
    Py_CLEAR(self->check_call);
    Py_CLEAR(self->check_returned);
    Py_CLEAR(self->next_type);
    type->tp_free(object);
    Py_DECREF(type);
}

int
antinode_is_chain(PyObject *object)
{
    return Py_TYPE(object)->tp_dealloc == Chain_dealloc;
}

static PyMemberDef Chain_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Chain, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Chain_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Leads a payload through several middlewares.")},
    {Py_tp_new, Chain_new},
    {Py_tp_dealloc, Chain_dealloc},
    {Py_tp_traverse, Chain_traverse},
    {Py_tp_clear, Chain_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, Chain_members},
    {0, NULL},
};

PyType_Spec antinode_chain_spec = {
    .name = "antinode._native.Chain",
    .basicsize = sizeof(Chain),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Chain_slots,
};

#include "clocks.h"

#if defined(__linux__) && !defined(ANTINODE_PORTABLE)
#define HAS_CLOCKS
#include <time.h>

/* As the interpreter reads them there. */
static long long
time_of(clockid_t id)
{
    struct timespec time;
    return clock_gettime(id, &time) == 0 ? time.tv_sec * 1000000000LL + time.tv_nsec : -1;
}
#define TIME_NS() time_of(CLOCK_REALTIME)
#define MONOTONIC() ((double)time_of(CLOCK_MONOTONIC) / 1e9)
#else
#define TIME_NS() (-1)
#define MONOTONIC() (-1.0)
#endif

PyObject *
antinode_own_clock(PyObject *clock, const char *name)
{
#ifdef HAS_CLOCKS
    if (PyCFunction_Check(clock) && strcmp(((PyCFunctionObject *)clock)->m_ml->ml_name, name) == 0) {
        return NULL;
    }
#else
    (void)name;
#endif
    return Py_NewRef(clock);
}

long long
antinode_time_ns(PyObject *clock)
{
    if (clock == NULL) {
        return TIME_NS();
    }
    PyObject *time = PyObject_CallNoArgs(clock);
    long long nanoseconds = time == NULL ? -1 : PyLong_AsLongLong(time);
    Py_XDECREF(time);
    return nanoseconds;
}

/* Events logged within so many seconds have the same moment: one float for all of them, where each took 32 bytes. */
#define MOMENT 0.001

PyObject *
antinode_moment(PyObject *clock, PyObject **last)
{
    if (clock != NULL) {
        return PyObject_CallNoArgs(clock);
    }
    double now = MONOTONIC();
    if (*last == NULL || !(now - PyFloat_AS_DOUBLE(*last) < MOMENT)) {
        PyObject *moment = PyFloat_FromDouble(now);
        if (moment == NULL) {
            return NULL;
        }
        Py_XSETREF(*last, moment);
    }
    return Py_NewRef(*last);
}

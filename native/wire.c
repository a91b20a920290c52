/* What a connection asks of the system between two exchanges and within one, without giving up the interpreter's lock for
   what does not wait, and once for what does: beside threads that are busy in Python each time may cost 5 ms. */

#include "slots.h"

#ifndef _WIN32
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#ifdef MSG_NOSIGNAL
#define FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FLAGS MSG_DONTWAIT
#endif

/* -1 with an error set. */
static int
descriptor_of(PyObject *number)
{
    long descriptor = PyLong_AsLong(number);
    if (descriptor == -1 && PyErr_Occurred()) {
        return -1;
    }
    return descriptor < 0 || descriptor > INT_MAX ? INT_MAX : (int)descriptor;
}

/* identity_at(descriptor) */
PyObject *
antinode_identity_at(PyObject *Py_UNUSED(module), PyObject *number)
{
    int descriptor = descriptor_of(number);
    struct stat status;
    if (descriptor < 0) {
        return NULL;
    }
    if (fstat(descriptor, &status) < 0) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("LKi", (long long)status.st_dev, (unsigned long long)status.st_ino, (int)(status.st_mode & S_IFMT));
}

/* has_come(descriptor) */
PyObject *
antinode_has_come(PyObject *Py_UNUSED(module), PyObject *number)
{
    int descriptor = descriptor_of(number);
    if (descriptor < 0) {
        return NULL;
    }
    struct pollfd asked = {.fd = descriptor, .events = POLLIN};
    return PyBool_FromLong(poll(&asked, 1, 0) != 0);
}

/* After a system call has failed: 1 when it is to be made again, 0 when it would have waited, -1 with an error set. */
static int
goes_on(int error)
{
    if (error == EAGAIN || error == EWOULDBLOCK) {
        return 0;
    }
    if (error == EINTR) {
        return PyErr_CheckSignals() < 0 ? -1 : 1;
    }
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* How much of the message is taken without waiting; NULL with an error set. */
static PyObject *
send_message(int descriptor, const struct msghdr *message)
{
    for (;;) {
        ssize_t sent;
        int error;
        Py_BEGIN_ALLOW_THREADS
        sent = sendmsg(descriptor, message, FLAGS);
        error = errno;
        Py_END_ALLOW_THREADS
        if (sent >= 0) {
            return PyLong_FromSsize_t((Py_ssize_t)sent);
        }
        int again = goes_on(error);
        if (again <= 0) {
            return again < 0 ? NULL : PyLong_FromLong(0);
        }
    }
}

/* send_now(descriptor, head, body) */
PyObject *
antinode_send_now(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "give a descriptor, a head and a body");
        return NULL;
    }
    int descriptor = descriptor_of(args[0]);
    Py_buffer head, body;
    if (descriptor < 0 || PyObject_GetBuffer(args[1], &head, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(args[2], &body, PyBUF_SIMPLE) < 0) {
        PyBuffer_Release(&head);
        return NULL;
    }
    struct iovec parts[] = {{head.buf, (size_t)head.len}, {body.buf, (size_t)body.len}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    PyObject *sent = send_message(descriptor, &message);
    PyBuffer_Release(&head);
    PyBuffer_Release(&body);
    return sent;
}

static double
seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The time left in milliseconds, rounded up. */
static int
milliseconds(double seconds)
{
    double left = seconds * 1000;
    return left >= INT_MAX - 1 ? INT_MAX : left <= 0 ? 0 : (int)left + (left > (int)left);
}

/* Wait until anything has come, and receive into `to`, unless that is NULL: how much, or -1 with an error set. */
static Py_ssize_t
receive_until(int descriptor, char *to, size_t size, double until)
{
    for (;;) {
        struct pollfd asked = {.fd = descriptor, .events = POLLIN};
        int left = milliseconds(until - seconds_now()), found, error;
        ssize_t got = to == NULL ? 0 : -1;
        Py_BEGIN_ALLOW_THREADS
        found = poll(&asked, 1, left);
        if (found > 0 && to != NULL) {
            got = recv(descriptor, to, size, FLAGS);
        }
        error = errno;
        Py_END_ALLOW_THREADS
        if (found > 0 && got >= 0) {
            return (Py_ssize_t)got;
        }
        if (found == 0 && until <= seconds_now()) {
            PyErr_SetString(PyExc_TimeoutError, "timed out");
            return -1;
        }
        if (found != 0 && goes_on(error) < 0) {
            return -1;
        }
    }
}

/* receive_within(descriptor, size, seconds) */
PyObject *
antinode_receive_within(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "give a descriptor, a size and seconds");
        return NULL;
    }
    int descriptor = descriptor_of(args[0]);
    Py_ssize_t size = descriptor < 0 ? -1 : PyLong_AsSsize_t(args[1]);
    double seconds = size < 0 ? -1 : PyFloat_AsDouble(args[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *received = PyBytes_FromStringAndSize(NULL, size);
    if (received == NULL) {
        return NULL;
    }
    Py_ssize_t got = receive_until(descriptor, PyBytes_AS_STRING(received), (size_t)size, seconds_now() + seconds);
    if (got < 0) {
        Py_DECREF(received);
        return NULL;
    }
    _PyBytes_Resize(&received, got);
    return received;
}

/* wait_within(descriptor, seconds) */
PyObject *
antinode_wait_within(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "give a descriptor and seconds");
        return NULL;
    }
    int descriptor = descriptor_of(args[0]);
    double seconds = descriptor < 0 ? -1 : PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred() || receive_until(descriptor, NULL, 0, seconds_now() + seconds) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}
#endif

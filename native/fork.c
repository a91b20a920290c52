/* Whether this is a forked child that has not noticed it yet, where the kernel has no page that it empties in a child (that is
   Linux's, see antinode/_lifecycle/fork.py): a flag that a handler of the C library's fork clears. */

#include "slots.h"

#if !defined(_WIN32) && (!defined(__linux__) || defined(ANTINODE_PORTABLE))
#include <pthread.h>
#include <stdlib.h>

/* Each interpreter has one of its own, which it sets again once it has noticed. They stay for as long as the process. */
typedef struct Flag {
    char is_known;
    struct Flag *next;
} Flag;

static Flag *flags;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static int is_watching;

static void
in_child(void)
{
    for (Flag *flag = flags; flag != NULL; flag = flag->next) {
        flag->is_known = 0;
    }
    /* A thread that is not in the child may have held it. */
    pthread_mutex_init(&adding, NULL);
}

static Flag *
add_flag(void)
{
    Flag *flag = malloc(sizeof *flag);
    if (flag == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&adding);
    if (!is_watching && pthread_atfork(NULL, NULL, in_child) == 0) {
        is_watching = 1;
    }
    if (is_watching) {
        flag->is_known = 1;
        flag->next = flags;
        flags = flag;
    }
    pthread_mutex_unlock(&adding);
    if (!is_watching) {
        free(flag);
        return NULL;
    }
    return flag;
}

PyObject *
antinode_fork_flag(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    Flag *flag = add_flag();
    if (flag == NULL) {
        Py_RETURN_NONE;
    }
    return PyMemoryView_FromMemory(&flag->is_known, 1, PyBUF_WRITE);
}
#else
PyObject *
antinode_fork_flag(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    Py_RETURN_NONE;
}
#endif

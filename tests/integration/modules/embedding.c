/* A program that has Python within it, as an application with a console or plugins does. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *code, *how;

static int begin(const char *python)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0; /* the program has its own */
    config.parse_argv = 0;
    PyConfig_SetBytesString(&config, &config.program_name, python);
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return PyStatus_Exception(status);
}

static void *run(void *python)
{
    if (begin(python) || PyRun_SimpleString(code))
        return "failed";
    if (strcmp(how, "leave") && Py_FinalizeEx())
        return "not finalized";
    return NULL;
}

int main(int count, char **arguments)
{
    void *problem;
    pthread_t thread;
    (void)count;
    code = arguments[2];
    how = arguments[3];
    if (!strcmp(how, "thread")) { /* in which Python then has its main thread */
        if (pthread_create(&thread, NULL, run, arguments[1]) || pthread_join(thread, &problem))
            return 3;
    } else {
        problem = run(arguments[1]);
    }
    if (problem) {
        fprintf(stderr, "%s\n", (char *)problem);
        return 2;
    }
    printf("the program goes on\n");
    fflush(stdout);
    getchar(); /* until somebody has looked what it has left */
    return 0;
}

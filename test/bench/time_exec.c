// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs programs and measures each as a container runtime sees a CNI plugin: from posix_spawn, over its stdin and
// stdout, to the end of waitpid. Small and without threads, so that the spawning process adds next to nothing.
//
// A line on stdin is one run: the program, the file that becomes its stdin, then NAME=value for each variable of its
// environment; tabs between. The answer is a line `<nanoseconds> <wait status> <bytes of output>`, then the output.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORDS = 64, MOST_BYTES = 1 << 20 };

static char input[MOST_BYTES];
static char output[MOST_BYTES];

static void die(const char* what)
{
    perror(what);
    exit(1);
}

// Reads to the end, or until the buffer is full.
static size_t read_all(int fd, char* buffer)
{
    size_t size = 0;
    ssize_t count = 0;

    while ((count = read(fd, buffer + size, MOST_BYTES - size)) > 0)
        size += (size_t)count;
    if (count < 0)
        die("read");
    return size;
}

static size_t load(const char* path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        die(path);
    const size_t size = read_all(fd, input);
    close(fd);
    return size;
}

// A program may end without reading its stdin; that isn't an error here.
static void write_all(int fd, const char* buffer, size_t size)
{
    while (size > 0) {
        const ssize_t count = write(fd, buffer, size);
        if (count < 0)
            return;
        buffer += count;
        size -= (size_t)count;
    }
}

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void run(char* program, size_t input_size, char** environment)
{
    char* arguments[] = {program, NULL};
    posix_spawn_file_actions_t actions;
    int in[2];
    int out[2];
    pid_t pid = 0;
    int status = 0;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);

    const long long start = now();
    if (posix_spawn(&pid, program, &actions, NULL, arguments, environment) != 0)
        die(program);
    close(in[0]);
    close(out[1]);
    write_all(in[1], input, input_size);
    close(in[1]);
    const size_t output_size = read_all(out[0], output);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    const long long end = now();

    close(out[0]);
    posix_spawn_file_actions_destroy(&actions);
    printf("%lld %d %zu\n", end - start, status, output_size);
    fwrite(output, 1, output_size, stdout);
    fflush(stdout);
}

int main(void)
{
    static char line[65536];

    signal(SIGPIPE, SIG_IGN);
    while (fgets(line, sizeof(line), stdin)) {
        char* words[MOST_WORDS + 1] = {NULL};
        size_t count = 0;

        line[strcspn(line, "\n")] = '\0';
        for (char* word = strtok(line, "\t"); word && count < MOST_WORDS; word = strtok(NULL, "\t"))
            words[count++] = word;
        if (count < 2)
            return 2;
        run(words[0], load(words[1]), words + 2);
    }
    return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a header read by a process that can do no harm. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/cleanup.h>

#define NOBODY	   65534u
#define CPU_S	   2u
#define FIRST_READ 4096u

/* What the process says; of no more weight than the image itself. */
struct answer {
	uint32_t verdict, sys;
	struct vm_image image;
};

/* Nothing is open but the image (0) and the pipe (1); the clock is the kernel's. */
static bool give_up_everything(void)
{
	const struct rlimit cpu = { CPU_S, CPU_S }, none = { 0, 0 };

	if (setrlimit(RLIMIT_CPU, &cpu) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return false;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return false;
	/* From here on: read, write and to end.  Source: seccomp(2), SECCOMP_SET_MODE_STRICT. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0;
}

/* As far as the header may reach; a short file is what it is. */
static int read_head(uint8_t *head, size_t *size, size_t upto)
{
	while (*size < upto) {
		ssize_t n = read(0, head + *size, upto - *size);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
		if (n > 0)
			*size += (size_t)n;
	}
	return 0;
}

static _Noreturn void look(int image, int answers, const char *format)
{
	struct answer a;
	uint8_t *head = mmap(NULL, VM_IMAGE_HEAD_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t size = 0;

	memset(&a, 0, sizeof(a));
	signal(SIGPIPE, SIG_DFL);
	if (head == MAP_FAILED || dup2(image, 0) < 0 || dup2(answers, 1) < 0 ||
	    close_range(2, ~0u, 0) < 0 || !give_up_everything()) {
		a.sys = (uint32_t)errno;
	} else {
		a.sys = (uint32_t)read_head(head, &size, FIRST_READ);
		if (a.sys == 0)
			a.verdict = vm_image_parse(format, head, size, &a.image);
		/* Most headers are short. */
		if (a.sys == 0 && a.verdict == VM_IMAGE_BROKEN) {
			a.sys = (uint32_t)read_head(head, &size, VM_IMAGE_HEAD_MAX);
			a.verdict = vm_image_parse(format, head, size, &a.image);
		}
	}
	if (write(1, &a, sizeof(a)) < 0)
		a.sys = 0;
	/* Strict mode knows no exit_group(). */
	for (;;)
		syscall(SYS_exit, 0);
}

/* 1 = the whole of it is there; 0 = it ended without; -1 = time is up. */
static int take_answer(int from, struct answer *a, struct vm_deadline deadline)
{
	size_t got = 0;

	while (got < sizeof(*a)) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, vm_deadline_poll(deadline)) <= 0) {
			if (vm_deadline_passed(deadline))
				return -1;
			continue;
		}
		n = read(from, (char *)a + got, sizeof(*a) - got);
		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	return 1;
}

/* A name for a path or a format: no control bytes, whole in its field. */
static bool is_text(const char *text, size_t field)
{
	size_t len = strnlen(text, field);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return len < field;
}

static int judge(const char *path, const char *format, const struct answer *a, struct vm_image *ret,
		 struct vm_err *err)
{
	if (a->sys != 0) {
		errno = (int)a->sys;
		return vm_err_sys(err, "read the header of %s", path);
	}
	if (a->verdict == VM_IMAGE_NOT_IT)
		return vm_err_set(err, VM_BAD_INPUT, "%s is no image of format %s", path, format);
	if (a->verdict == VM_IMAGE_OTHER_FILES)
		return vm_err_set(err, VM_UNSUPPORTED, "%s keeps its data in other files, which is not supported yet",
				  path);
	if (a->verdict != VM_IMAGE_OK || !is_text(a->image.backing, sizeof(a->image.backing)) ||
	    !is_text(a->image.format, sizeof(a->image.format)))
		return vm_err_set(err, VM_BAD_INPUT, "the header of %s is damaged", path);
	*ret = a->image;
	return 0;
}

int vm_image_look(const char *path, const char *format, struct vm_deadline deadline, struct vm_image *ret,
		  struct vm_err *err)
{
	VM_AUTO_FD int image = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct answer a;
	struct stat st;
	int ends[2], r;
	pid_t pid;

	if (image < 0 || fstat(image, &st) < 0)
		return vm_err_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "%s is neither a file nor a block device", path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	pid = fork();
	if (pid == 0)
		look(image, ends[1], format);
	close(ends[1]);
	if (pid < 0) {
		vm_err_sys(err, "fork");
		close(ends[0]);
		return -1;
	}
	r = take_answer(ends[0], &a, deadline);
	close(ends[0]);
	if (r <= 0)
		kill(pid, SIGKILL);
	/* One that waits for a disk cannot even be killed: it is left to that. */
	while (r >= 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return vm_err_set(err, VM_TIMED_OUT, "%s: its header cannot be read in time", path);
	if (r == 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: reading its header has failed", path);
	return judge(path, format, &a, ret, err);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

/* Reads a file of /proc/PID; these are small and come whole with one read(). */
static bool read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	VM_AUTO_FD int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

static bool read_stat(pid_t pid, const char *name, struct vm_task *ret)
{
	unsigned long long utime = 0, stime = 0;
	long ticks = sysconf(_SC_CLK_TCK), rss = 0;
	char buf[1024], *open, *close, *p;
	int cpu = -1, field;
	size_t len;

	if (!read_proc(pid, name, buf, sizeof(buf)))
		return false;
	/* the name may hold any byte, parentheses and blanks too: the last ")" ends it */
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || close < open || !close[1] || ticks <= 0)
		return false;
	len = (size_t)(close - open - 1);
	len = len < sizeof(ret->comm) - 1 ? len : sizeof(ret->comm) - 1;
	for (size_t i = 0; i < len; i++)
		ret->comm[i] = (char)(isprint((unsigned char)open[1 + i]) ? open[1 + i] : '?');
	ret->comm[len] = '\0';
	p = close + 2;
	ret->state = *p;
	for (field = 3; p && *p; field++) {
		if (field == 14)
			utime = strtoull(p, NULL, 10);
		else if (field == 15)
			stime = strtoull(p, NULL, 10);
		else if (field == 24)
			rss = strtol(p, NULL, 10);
		else if (field == 39)
			cpu = atoi(p);
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	ret->user_ms = utime * 1000 / (unsigned long long)ticks;
	ret->system_ms = stime * 1000 / (unsigned long long)ticks;
	ret->time_ms = (utime + stime) * 1000 / (unsigned long long)ticks;
	ret->host_cpu = cpu;
	ret->rss_bytes = rss > 0 ? (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	return true;
}

bool vm_task_read(pid_t pid, pid_t tid, struct vm_task *ret)
{
	char name[32];

	snprintf(name, sizeof(name), "task/%d/stat", (int)tid);
	return read_stat(pid, name, ret);
}

bool vm_process_time(pid_t pid, uint64_t *ret_ms)
{
	struct vm_task task;

	if (!read_stat(pid, "stat", &task))
		return false;
	*ret_ms = task.time_ms;
	return true;
}

bool vm_process_times(pid_t pid, uint64_t *ret_user_ms, uint64_t *ret_system_ms)
{
	struct vm_task task;

	if (!read_stat(pid, "stat", &task))
		return false;
	*ret_user_ms = task.user_ms;
	*ret_system_ms = task.system_ms;
	return true;
}

/* Source: Documentation/scheduler/sched-stats.rst, Linux. */
bool vm_task_schedstat(pid_t pid, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_wait_ns)
{
	char name[40], buf[128];

	snprintf(name, sizeof(name), "task/%d/schedstat", (int)tid);
	return read_proc(pid, name, buf, sizeof(buf)) &&
	       sscanf(buf, "%" SCNu64 " %" SCNu64, ret_run_ns, ret_wait_ns) == 2;
}

/* Source: proc_sched_show_task() of kernel/sched/debug.c, Linux 6.1: milliseconds with six decimals; the name had a
 * longer prefix before 5.17. */
bool vm_task_wait_sum(pid_t pid, pid_t tid, uint64_t *ret_ns)
{
	static const char key[] = "wait_sum";
	unsigned long long ms, ns;
	char name[40], buf[8192];
	const char *at;

	snprintf(name, sizeof(name), "task/%d/sched", (int)tid);
	if (!read_proc(pid, name, buf, sizeof(buf)) || (at = strstr(buf, key)) == NULL ||
	    sscanf(at + sizeof(key) - 1, " : %llu.%6llu", &ms, &ns) != 2)
		return false;
	*ret_ns = ms * 1000000 + ns;
	return true;
}

char *vm_task_affinity(pid_t tid)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE cpu_set_t *set = NULL;
	const size_t cpus = 8192;
	size_t size = CPU_ALLOC_SIZE(8192);
	size_t from, to;

	set = CPU_ALLOC(8192);
	if (!set || sched_getaffinity(tid, size, set) < 0)
		return NULL;
	for (from = 0; from < cpus; from = to + 1) {
		to = from;
		if (!CPU_ISSET_S(from, size, set))
			continue;
		while (to + 1 < cpus && CPU_ISSET_S(to + 1, size, set))
			to++;
		vm_strbuf_printf(&b, to > from ? "%s%zu-%zu" : "%s%zu", b.len ? "," : "", from, to);
	}
	return vm_strbuf_take(&b);
}

#define CPUS_MAX 8192

static bool parse_cpus(const char *text, cpu_set_t *set, size_t size)
{
	while (*text) {
		char *end;
		unsigned long from, to;

		if (!isdigit((unsigned char)*text))
			return false;
		from = to = strtoul(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			to = strtoul(end + 1, &end, 10);
		if (from > to || to >= CPUS_MAX || (*end && *end != ',') || (*end && !end[1]))
			return false;
		for (; from <= to; from++)
			CPU_SET_S(from, size, set);
		text = end + (*end == ',');
	}
	return true;
}

int vm_task_affinity_set(pid_t tid, const char *cpus)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	VM_AUTO_FREE cpu_set_t *set = CPU_ALLOC(CPUS_MAX);

	if (!set)
		return -1;
	if (!cpus || strcmp(cpus, "all") == 0) {
		memset(set, 0xff, size);
	} else {
		memset(set, 0, size);
		if (!*cpus || !parse_cpus(cpus, set, size)) {
			errno = EINVAL;
			return -1;
		}
	}
	return sched_setaffinity(tid, size, set);
}

bool vm_task_is_of(pid_t pid, pid_t tid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return tid > 0 && stat(path, &st) == 0;
}

int vm_task_threads(pid_t pid, pid_t **ret)
{
	char path[64];
	struct dirent *e;
	pid_t *v = NULL;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	while (n < VM_TASK_THREADS_MAX && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0])) {
			v = vm_xreallocarray(v, (size_t)n + 1, sizeof(*v));
			v[n++] = (pid_t)atoi(e->d_name);
		}
	closedir(d);
	*ret = v;
	return n;
}

char *vm_task_user(pid_t pid)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct passwd pw, *found = NULL;
	char path[64], buf[4096];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st) < 0)
		return NULL;
	if (getpwuid_r(st.st_uid, &pw, buf, sizeof(buf), &found) == 0 && found)
		vm_strbuf_puts(&b, found->pw_name);
	else
		vm_strbuf_printf(&b, "%u", st.st_uid);
	return vm_strbuf_take(&b);
}

/* Value behind "NAME:" in /proc/PID/status. */
static const char *status_field(const char *status, const char *name)
{
	const char *p = strstr(status, name);

	if (!p)
		return "";
	p += strlen(name);
	return p + strspn(p, " \t");
}

bool vm_task_walls(pid_t pid, struct vm_task_walls *ret)
{
	char status[4096], path[64], theirs[64], ours[64];
	ssize_t a, b;

	if (!read_proc(pid, "status", status, sizeof(status)))
		return false;
	ret->seccomp = atoi(status_field(status, "\nSeccomp:")) == 2;
	ret->no_new_privs = atoi(status_field(status, "\nNoNewPrivs:")) == 1;
	ret->no_capabilities = strtoull(status_field(status, "\nCapPrm:"), NULL, 16) == 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	a = readlink(path, theirs, sizeof(theirs));
	b = readlink("/proc/self/ns/mnt", ours, sizeof(ours));
	ret->own_mounts = a > 0 && b > 0 && (a != b || memcmp(theirs, ours, (size_t)a) != 0);
	return true;
}

int vm_task_mounts(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int vm_task_replaced(pid_t pid)
{
	char path[64], target[PATH_MAX];
	struct stat running, now;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0 || stat(path, &running) < 0)
		return -1;
	target[n] = '\0';
	if (stat(target, &now) < 0)
		return 1; /* "... (deleted)" */
	return now.st_ino != running.st_ino || now.st_dev != running.st_dev;
}

static uint64_t limit(const char *text)
{
	return strcmp(text, "unlimited") == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

bool vm_task_memlock(pid_t pid, uint64_t *ret_soft, uint64_t *ret_hard)
{
	static const char name[] = "\nMax locked memory";
	char text[8192], soft[32], hard[32];
	const char *line;

	if (!read_proc(pid, "limits", text, sizeof(text)))
		return false;
	line = strstr(text, name);
	if (line == NULL || sscanf(line + sizeof(name) - 1, "%31s %31s", soft, hard) != 2)
		return false;
	*ret_soft = limit(soft);
	*ret_hard = limit(hard);
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault: runs a command, and kills it at its N-th system call or makes that call fail.
 *
 * Counted are the calls of the selected processes in the order in which they stop, without those
 * of the dynamic loader: before main() a command has done nothing. The emulator and other foreign
 * programs are let go as soon as they are executed, so a guest runs at its own speed and survives.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/ptrace.h>

#include "calls.h"

enum mode { MODE_COUNT, MODE_KILL, MODE_FAIL };
enum who { WHO_TOOL = 1, WHO_WATCH = 2, WHO_ALL = 3 };

static struct options {
	enum mode mode;
	enum who who;
	bool tree;	   /* kill every traced process, not only the one that made the call */
	bool changes_only; /* count only calls that may change something outside the process */
	bool failing_only; /* count only calls that can fail */
	bool loader;	   /* count the dynamic loader's and sanitizers' calls too */
	bool list;	   /* print each counted call */
	int wanted_errno;  /* 0 = one that suits the call */
	unsigned pick;	   /* which of the suitable ones */
	uint64_t at;
	long deadline_ms, linger_ms;
	const char *report;
} opt = { .who = WHO_TOOL, .deadline_ms = 30000 };

struct tracee {
	pid_t tid, tgid;
	enum who role;
	bool executed; /* what runs is the command, no longer the harness's own child */
	int inject; /* errno to return from the call it is in */
	struct range {
		uint64_t start, end;
		bool counted;
	} ranges[8]; /* the code its calls came from */
	unsigned range_count;
};

static struct tracee tracees[1024];
static size_t tracee_count;
static pid_t tool_pid;
static int tool_status = -1;
static uint64_t calls, changing, failing;
static bool hit, inapplicable;
static char hit_text[128] = "-", hit_file[600];
static struct timespec started, tool_ended;

static void die(const char *what)
{
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(125);
}

static long ms_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000;
}

static struct tracee *find(pid_t tid)
{
	for (size_t i = 0; i < tracee_count; i++) {
		if (tracees[i].tid == tid)
			return &tracees[i];
	}
	return NULL;
}

static struct tracee *add(pid_t tid)
{
	struct tracee *t = find(tid);

	if (t)
		return t;
	if (tracee_count == sizeof(tracees) / sizeof(tracees[0])) {
		fprintf(stderr, "fault: too many processes\n");
		exit(125);
	}
	t = &tracees[tracee_count++];
	*t = (struct tracee){ .tid = tid, .tgid = tid, .role = WHO_WATCH };
	return t;
}

static void forget(pid_t tid)
{
	struct tracee *t = find(tid);

	if (t)
		*t = tracees[--tracee_count];
}

/* Calls of the dynamic loader and of a sanitizer's run-time library are not the program's. */
static bool counts(const char *file)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	return strncmp(base, "ld-", 3) != 0 && !strstr(base, "san.so");
}

/* Is code at this address the program's or its libraries'? */
static bool counted_code(struct tracee *t, uint64_t address)
{
	char path[64], line[PATH_MAX + 128];
	struct range found = { 0, 0, true };
	FILE *f;

	for (unsigned i = 0; i < t->range_count; i++) {
		if (address >= t->ranges[i].start && address < t->ranges[i].end)
			return t->ranges[i].counted;
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->tid);
	f = fopen(path, "re");
	while (f && !found.end && fgets(line, sizeof(line), f)) {
		unsigned long long start, end;
		char name[PATH_MAX] = "";

		if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %4095s", &start, &end, name) >= 2 &&
		    address >= start && address < end)
			found = (struct range){ start, end, counts(name) };
	}
	if (f)
		fclose(f);
	if (t->range_count < sizeof(t->ranges) / sizeof(t->ranges[0]))
		t->ranges[t->range_count++] = found;
	return found.counted;
}

/* Our own programs are named vm-*; anything else that is executed is let go. */
static bool is_ours(pid_t pid)
{
	char path[64], target[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	return strncmp(base, "vm-", 3) == 0;
}

/* Which file a call is about: " file=DIRECTORY/NAME", or " file=" what the descriptor is. */
static void note_file(const struct tracee *t, const struct call *call, const uint64_t args[6])
{
	size_t len = strlen(call->name);
	bool at = strstr(call->name, "at2") || (len > 2 && strcmp(call->name + len - 2, "at") == 0);
	char link[64], dir[256] = "", name[256] = "";
	struct iovec here = { name, sizeof(name) - 1 };
	struct iovec there = { (void *)(uintptr_t)args[1], sizeof(name) - 1 };

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)t->tid, (int)args[0]);
	if (readlink(link, dir, sizeof(dir) - 1) < 0)
		dir[0] = 0;
	/* A string near the end of a mapping is read as far as that goes. */
	while (at && process_vm_readv(t->tid, &here, 1, &there, 1, 0) < 0 && there.iov_len > 16)
		there.iov_len /= 2;
	name[strcspn(name, " \n")] = 0;
	snprintf(hit_file, sizeof(hit_file), " file=%s%s%s", *name == '/' ? "" : dir,
		 *name && *name != '/' ? "/" : "", name);
}

static void report_hit(const struct tracee *t, const struct call *call, uint64_t nr, int error)
{
	hit = true;
	snprintf(hit_text, sizeof(hit_text), "%s:%s%s%s", t->role == WHO_TOOL ? "tool" : "watch",
		 call ? call->name : "call", error ? ":" : "", error ? call_errno_name(error) : "");
	if (!call)
		snprintf(hit_text, sizeof(hit_text), "%s:%llu",
			 t->role == WHO_TOOL ? "tool" : "watch", (unsigned long long)nr);
}

static void kill_now(const struct tracee *t)
{
	if (!opt.tree) {
		kill(t->tgid, SIGKILL);
		return;
	}
	for (size_t i = 0; i < tracee_count; i++)
		kill(tracees[i].tgid, SIGKILL);
}

/* Replaces the call by none; its result is put in at its end. */
static void inject(struct tracee *t, const struct call *call, const uint64_t args[6])
{
	struct user_regs_struct regs;
	unsigned known = 0;
	int error = opt.wanted_errno;

	while (call && known < 4 && call->errnos[known])
		known++;
	if (!error && known)
		error = call->errnos[opt.pick % known];
	if (!error) {
		inapplicable = true;
		report_hit(t, call, 0, 0);
		return;
	}
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &regs) < 0)
		return;
	t->inject = error;
	note_file(t, call, args);
	report_hit(t, call, 0, error);
}

static void on_entry(struct tracee *t, const struct ptrace_syscall_info *info)
{
	const struct call *call = call_find(info->entry.nr);
	bool changes, can_fail, here;
	uint64_t args[6], at;

	if (!(t->role & opt.who))
		return;
	if (!t->executed || (!opt.loader && !counted_code(t, info->instruction_pointer)))
		return;
	for (unsigned i = 0; i < 6; i++)
		args[i] = info->entry.args[i];
	/* the flags of openat2() are in memory */
	if (call && call->nr == SYS_openat2)
		args[2] = (uint64_t)ptrace(PTRACE_PEEKDATA, t->tid, args[2], 0);
	changes = call_changes(call, args);
	can_fail = call_can_fail(call, args);
	calls++;
	changing += changes;
	failing += can_fail;
	at = opt.changes_only ? changing : opt.failing_only ? failing : calls;
	here = opt.changes_only ? changes : opt.failing_only ? can_fail : true;
	if (opt.list && here)
		fprintf(stderr, "%llu %d %s %s %s\n", (unsigned long long)at, (int)t->tid,
			call ? call->name : "?", changes ? "changes" : "-", can_fail ? "fails" : "-");
	if (opt.mode == MODE_COUNT || hit || !here || at != opt.at)
		return;
	if (opt.mode == MODE_FAIL) {
		inject(t, call, args);
		return;
	}
	report_hit(t, call, info->entry.nr, 0);
	kill_now(t);
}

static void on_exit_of_call(struct tracee *t)
{
	struct user_regs_struct regs;

	if (!t->inject)
		return;
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &regs) == 0) {
		regs.rax = (unsigned long long)-(long long)t->inject;
		ptrace(PTRACE_SETREGS, t->tid, 0, &regs);
	}
	t->inject = 0;
}

static void on_call(struct tracee *t)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of_call(t);
}

static void on_new(const struct tracee *parent, unsigned event)
{
	unsigned long message = 0;
	struct tracee old = *parent;
	struct tracee *child;
	char path[64];

	if (ptrace(PTRACE_GETEVENTMSG, old.tid, 0, &message) < 0)
		return;
	child = add((pid_t)message);
	child->executed = old.executed;
	child->range_count = old.range_count;
	memcpy(child->ranges, old.ranges, sizeof(old.ranges));
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)old.tgid, (int)message);
	if (event == PTRACE_EVENT_CLONE && access(path, F_OK) == 0) {
		child->tgid = old.tgid;
		child->role = old.role;
	}
}

/* One stop of one process; false = it was let go. */
static bool on_stop(struct tracee *t, int status)
{
	unsigned event = (unsigned)status >> 16;
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		on_call(t);
		return true;
	}
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_new(t, event);
		return true;
	case PTRACE_EVENT_EXEC:
		t->executed = true;
		t->range_count = 0;
		if (t->tid != tool_pid && !is_ours(t->tid)) {
			ptrace(PTRACE_DETACH, t->tid, 0, 0);
			forget(t->tid);
			return false;
		}
		return true;
	default:
		return true;
	}
}

static void resume(pid_t tid, int status)
{
	unsigned event = (unsigned)status >> 16;
	int sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_STOP &&
	    (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) &&
	    ptrace(PTRACE_LISTEN, tid, 0, 0) == 0)
		return;
	if (event || sig == (SIGTRAP | 0x80))
		sig = 0;
	ptrace(PTRACE_SYSCALL, tid, 0, (unsigned long)sig);
}

static void on_end(pid_t pid, int status)
{
	forget(pid);
	if (pid != tool_pid)
		return;
	tool_status = status;
	clock_gettime(CLOCK_MONOTONIC, &tool_ended);
}

static bool finished(bool *timed_out)
{
	*timed_out = false;
	if (tool_status >= 0 && hit && opt.mode == MODE_KILL && opt.tree)
		return tracee_count == 0 || ms_since(&tool_ended) > 2000;
	if (tool_status >= 0) {
		bool wait_more = opt.linger_ms && tracee_count > 0 &&
				 !(opt.mode == MODE_KILL && hit) &&
				 ms_since(&tool_ended) < opt.linger_ms;
		return !wait_more;
	}
	*timed_out = ms_since(&started) > opt.deadline_ms;
	return *timed_out;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Traces until the command has ended; true = it did in time. */
static bool trace(void)
{
	bool timed_out = false;

	while (!finished(&timed_out)) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		struct tracee *t;

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break;
		if (!WIFSTOPPED(status)) {
			on_end(pid, status);
			continue;
		}
		t = find(pid);
		if (!t)
			t = add(pid);
		if (on_stop(t, status))
			resume(pid, status);
	}
	if (timed_out) {
		for (size_t i = 0; i < tracee_count; i++)
			kill(tracees[i].tgid, SIGKILL);
		kill(tool_pid, SIGKILL);
	}
	return !timed_out;
}

static void launch(char **argv)
{
	int go[2];
	struct tracee *t;

	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe");
	tool_pid = fork();
	if (tool_pid < 0)
		die("fork");
	if (tool_pid == 0) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(125);
		execvp(argv[0], argv);
		fprintf(stderr, "fault: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(go[0]);
	if (ptrace(PTRACE_SEIZE, tool_pid, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) < 0)
		die("ptrace");
	t = add(tool_pid);
	t->role = WHO_TOOL;
	if (ptrace(PTRACE_INTERRUPT, tool_pid, 0, 0) < 0)
		die("ptrace");
	clock_gettime(CLOCK_MONOTONIC, &started);
	if (write(go[1], "g", 1) != 1)
		die("write");
	close(go[1]);
}

static int conclude(bool in_time)
{
	FILE *f = opt.report ? fopen(opt.report, "we") : stderr;
	int code = 124;
	char end[32] = "timeout";

	if (in_time && WIFEXITED(tool_status)) {
		code = WEXITSTATUS(tool_status);
		snprintf(end, sizeof(end), "exit:%d", code);
	} else if (in_time && WIFSIGNALED(tool_status)) {
		code = 128 + WTERMSIG(tool_status);
		snprintf(end, sizeof(end), "signal:%d", WTERMSIG(tool_status));
	}
	if (f && (opt.report || opt.mode == MODE_COUNT))
		fprintf(f, "calls=%llu changes=%llu failing=%llu hit=%s at=%s%s ms=%ld end=%s\n",
			(unsigned long long)calls, (unsigned long long)changing,
			(unsigned long long)failing,
			inapplicable ? "none" : hit ? "yes" : "no", hit_text, hit_file, ms_since(&started),
			end);
	if (f && opt.report)
		fclose(f);
	return code;
}

static void usage(FILE *to)
{
	fputs("Usage: fault count [OPTION...] -- COMMAND [ARG...]\n"
	      "       fault kill N [OPTION...] -- COMMAND [ARG...]\n"
	      "       fault fail N ERRNO|auto [OPTION...] -- COMMAND [ARG...]\n"
	      "Run COMMAND; count its system calls, kill it at the start of the N-th, or let that one fail.\n"
	      "\n"
	      "      --who=WHO       tool: COMMAND's own process (default); watch: the processes it\n"
	      "                      makes, until they execute a foreign program; all: both\n"
	      "      --tree          kill all of these at once\n"
	      "      --changes       count only calls that may change something outside the process\n"
	      "      --failing       count only calls that can fail\n"
	      "      --loader        count the dynamic loader's and sanitizers' calls too\n"
	      "      --pick=K        auto: the K-th of the errors that suit the call (default 0)\n"
	      "      --deadline=MS   give up after this time (default 30000)\n"
	      "      --linger=MS     trace what COMMAND leaves running for so long\n"
	      "      --report=FILE   write \"calls= changes= failing= hit= at= file= ms= end=\"\n"
	      "      --list          print every counted call on standard error, whether it changes\n"
	      "                      something, and whether it can fail\n"
	      "  -h, --help          print this help\n"
	      "\n"
	      "The exit status is COMMAND's, 128+N if signal N ended it, 124 after the deadline.\n",
	      to);
}

static int parse_operands(int argc, char **argv, int at)
{
	const char *mode = at < argc ? argv[at++] : "";

	if (strcmp(mode, "kill") == 0)
		opt.mode = MODE_KILL;
	else if (strcmp(mode, "fail") == 0)
		opt.mode = MODE_FAIL;
	else if (strcmp(mode, "count") != 0)
		return -1;
	if (opt.mode != MODE_COUNT) {
		if (at >= argc)
			return -1;
		opt.at = strtoull(argv[at++], NULL, 10);
		if (!opt.at)
			return -1;
	}
	if (opt.mode == MODE_FAIL) {
		if (at >= argc)
			return -1;
		opt.wanted_errno = strcmp(argv[at], "auto") == 0 ? 0 : call_errno(argv[at]);
		at++;
	}
	return opt.wanted_errno < 0 ? -1 : at;
}

static int parse_option(int c)
{
	switch (c) {
	case 'w':
		opt.who = strcmp(optarg, "tool") == 0	 ? WHO_TOOL
			  : strcmp(optarg, "watch") == 0 ? WHO_WATCH
							 : WHO_ALL;
		return strcmp(optarg, "all") != 0 && opt.who == WHO_ALL ? -1 : 0;
	case 't':
		opt.tree = true;
		return 0;
	case 'c':
		opt.changes_only = true;
		return 0;
	case 'f':
		opt.failing_only = true;
		return 0;
	case 'l':
		opt.loader = true;
		return 0;
	case 'p':
		opt.pick = (unsigned)strtoul(optarg, NULL, 10);
		return 0;
	case 'd':
		opt.deadline_ms = strtol(optarg, NULL, 10);
		return 0;
	case 'g':
		opt.linger_ms = strtol(optarg, NULL, 10);
		return 0;
	case 'r':
		opt.report = optarg;
		return 0;
	case 'L':
		opt.list = true;
		return 0;
	default:
		return -1;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "who", required_argument, NULL, 'w' },      { "tree", no_argument, NULL, 't' },
		{ "changes", no_argument, NULL, 'c' },	      { "loader", no_argument, NULL, 'l' },
		{ "pick", required_argument, NULL, 'p' },     { "deadline", required_argument, NULL, 'd' },
		{ "linger", required_argument, NULL, 'g' },   { "report", required_argument, NULL, 'r' },
		{ "failing", no_argument, NULL, 'f' }, { "list", no_argument, NULL, 'L' },	      { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct sigaction tick = { .sa_handler = on_alarm };
	const struct itimerspec every = { { 0, 50000000 }, { 0, 50000000 } };
	timer_t timer;
	int c, before = 0, split = 1;

	/* what follows "--" is the command's */
	while (split < argc && strcmp(argv[split], "--") != 0)
		split++;
	before = parse_operands(split, argv, 1);
	if (split > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return 0;
	}
	if (before < 0 || split + 1 >= argc) {
		usage(stderr);
		return 2;
	}
	optind = before;
	while ((c = getopt_long(split, argv, "+h", longs, NULL)) != -1) {
		if (parse_option(c) < 0) {
			usage(stderr);
			return 2;
		}
	}
	/* wakes waitpid() so that deadlines are looked at */
	sigaction(SIGALRM, &tick, NULL);
	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0 ||
	    timer_settime(timer, 0, &every, NULL) < 0)
		die("timer");
	launch(argv + split + 1);
	return conclude(trace());
}

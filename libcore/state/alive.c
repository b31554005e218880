/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>

vm_group_kill_fn *vm_guest_group_kill;
vm_group_populated_fn *vm_guest_group_populated;

int vm_run_lock_held(int run_fd, const char *name)
{
	VM_AUTO_FD int fd = -1;
	struct vm_err err;

	if (run_fd < 0)
		return 0;
	/* The files are 0600 and ours; O_NONBLOCK so that nothing put there can stop us. */
	fd = openat(run_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	return vm_lock_held(fd, &err);
}

void vm_record_set_procid(struct vm_record *r, const char *key, const struct vm_procid *id)
{
	char sub[64];

	if (id)
		vm_record_setf(r, key, "%d", (int)id->pid);
	else
		vm_record_set(r, key, NULL);
	snprintf(sub, sizeof(sub), "%s_start", key);
	if (id)
		vm_record_setf(r, sub, "%" PRIu64, id->start);
	else
		vm_record_set(r, sub, NULL);
	snprintf(sub, sizeof(sub), "%s_boot", key);
	vm_record_set(r, sub, id ? id->boot : NULL);
}

bool vm_record_get_procid(const struct vm_record *r, const char *key, struct vm_procid *ret)
{
	struct vm_procid id = {0};
	const char *boot;
	char sub[64];
	uint64_t pid;

	pid = vm_record_u64(r, key, 0);
	snprintf(sub, sizeof(sub), "%s_start", key);
	id.start = vm_record_u64(r, sub, 0);
	snprintf(sub, sizeof(sub), "%s_boot", key);
	boot = vm_record_get(r, sub);
	/* 0 and 1 would be a group or init: never the target of a signal */
	if (pid < 2 || pid > INT32_MAX || !id.start || !boot || strlen(boot) != 36)
		return false;
	id.pid = (pid_t)pid;
	memcpy(id.boot, boot, 37);
	*ret = id;
	return true;
}

bool vm_record_get_helper(const struct vm_record *r, size_t i, char name[VM_HELPER_NAME_MAX],
			  struct vm_procid *ret)
{
	const char *text = vm_record_nth(r, VM_KEY_HELPER, i);
	struct vm_procid id;
	int pid, end = 0;

	/* Started by QEMU's process: the boot is the same. */
	if (text == NULL || !vm_record_get_procid(r, VM_KEY_PID, &id) ||
	    sscanf(text, "%79s %d %" SCNu64 "%n", name, &pid, &id.start, &end) != 3 || text[end] != 0 || pid <= 1)
		return false;
	id.pid = pid;
	*ret = id;
	return true;
}

/* Does the recorded process live? A process that cannot be asked about lives. */
static bool recorded_lives(const struct vm_record *r)
{
	VM_AUTO_FD int pidfd = -1;
	struct vm_procid id;
	struct vm_err err;

	if (!vm_record_get_procid(r, VM_KEY_PID, &id))
		return false;
	return vm_procid_open(&id, &pidfd, &err) != 1;
}

char vm_proc_state(const struct vm_procid *id)
{
	VM_AUTO_FD int fd = -1;
	char path[32], buf[1024], state, *p;
	ssize_t n;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)id->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	/* the name in parentheses may hold anything: fields are counted behind its last one */
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ' || !p[2])
		return 0;
	state = p[2];
	/* Source: proc(5): state is field 3, starttime field 22 */
	p += 2;
	for (field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	return strtoull(p, NULL, 10) == id->start ? state : 0;
}

static bool exists(int run_fd, const char *name)
{
	struct stat st;

	return fstatat(run_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void vm_run_facts_free(struct vm_run_facts *f)
{
	vm_record_free(&f->record);
}

static bool starting(const struct vm_record *r)
{
	const char *phase = vm_record_get(r, VM_KEY_PHASE);

	return phase && strcmp(phase, "starting") == 0;
}

static bool has_rest(int run_fd)
{
	return exists(run_fd, VM_RUN_RECORD) || exists(run_fd, VM_RUN_UNDO_START) ||
	       exists(run_fd, VM_RUN_UNDO_CHANGE);
}

static void record_look(int run_fd, struct vm_run_facts *f)
{
	vm_record_free(&f->record);
	f->record_bad = vm_record_read(&f->record, run_fd, VM_RUN_RECORD, VM_RECORD_GUEST,
				       VM_RECORD_GUEST_VERSION, &f->problem) < 0 &&
			f->problem.kind != VM_NOT_FOUND;
}

/* 1 held, 0 free or no such file, -1 cannot be asked; fd is that of `alive`, or -1. */
static int alive_held(int fd, int open_errno)
{
	struct vm_err err;

	if (fd < 0)
		return open_errno == ENOENT ? 0 : -1;
	return vm_lock_held(fd, &err);
}

/*
 * Alive: is it a start that nobody goes on with?  Between the lock of `alive` and the record of the
 * process, and from there to the commit, the starter holds `lock`.  1 = look again.
 */
static int look_alive(int run_fd, bool own_lock, struct vm_run_facts *f)
{
	bool unnamed = !f->record_bad && !vm_record_get(&f->record, VM_KEY_PID);

	f->alive = VM_ALIVE_HELD;
	if (!starting(&f->record) && !unnamed)
		return 0;
	if (!own_lock && vm_run_lock_held(run_fd, VM_RUN_LOCK) != 0) {
		f->busy = unnamed;
		return 0;
	}
	record_look(run_fd, f);
	f->abandoned =
	    !f->record_bad && (starting(&f->record) || !vm_record_get(&f->record, VM_KEY_PID));
	return !f->abandoned;
}

static bool same_run(const struct vm_record *a, const struct vm_record *b)
{
	struct vm_procid x = {0}, y = {0};

	(void)vm_record_get_procid(a, VM_KEY_PID, &x);
	(void)vm_record_get_procid(b, VM_KEY_PID, &y);
	return x.pid == y.pid && x.start == y.start;
}

static bool somebody_at_it(int run_fd)
{
	return vm_run_lock_held(run_fd, VM_RUN_LOCK) == 1 ||
	       vm_run_lock_held(run_fd, VM_RUN_WATCH_LOCK) == 1;
}

/*
 * Dead, or not begun. 1 = look again.  It is a rest only if the same rest was there before and
 * after, with nobody at work on it and no new process.
 */
static int look_dead(int run_fd, bool own_lock, struct vm_run_facts *f)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts then = VM_RUN_FACTS_INIT;

	if (!has_rest(run_fd))
		return 0;
	f->alive = VM_ALIVE_STALE;
	if (own_lock || recorded_lives(&f->record))
		return 0;
	f->busy = somebody_at_it(run_fd);
	if (f->busy)
		return 0;
	record_look(run_fd, &then);
	return !same_run(&f->record, &then.record) || somebody_at_it(run_fd) ||
	       vm_run_lock_held(run_fd, VM_RUN_ALIVE) == 1 || !has_rest(run_fd);
}

/*
 * One look; 1 = the guest was started or ended while we looked.  Every run makes `alive` anew: a
 * lock that is held on one open file from beginning to end is one and the same run.
 */
static int facts_look(int run_fd, bool own_lock, struct vm_run_facts *f)
{
	VM_AUTO_FD int fd =
	    openat(run_fd, VM_RUN_ALIVE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int why = errno, held = alive_held(fd, why), again;

	record_look(run_fd, f);
	/* those who may look but not ask the lock judge by the process */
	if (held < 0 ? recorded_lives(&f->record) : held == 1)
		again = look_alive(run_fd, own_lock, f);
	else
		again = look_dead(run_fd, own_lock, f);
	return again || alive_held(fd, why) != held;
}

void vm_run_facts_read(int run_fd, bool own_lock, struct vm_run_facts *ret)
{
	struct vm_run_facts f = VM_RUN_FACTS_INIT;
	int tries, again = 0;

	for (tries = 0; run_fd >= 0 && tries < 5; tries++) {
		vm_run_facts_free(&f);
		f = VM_RUN_FACTS_INIT;
		again = facts_look(run_fd, own_lock, &f);
		if (!again)
			break;
	}
	/* started and ended all the time: whoever does that is at work on it */
	if (again && (f.alive == VM_ALIVE_STALE || f.abandoned))
		f.busy = true;
	*ret = f;
}

int vm_guest_alive(const struct vm_guest *g, enum vm_alive *ret, struct vm_err *err)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	int populated;

	vm_run_facts_read(g->run, g->lock >= 0, &f);
	if (f.alive == VM_ALIVE_NO && vm_guest_group_populated) {
		populated = vm_guest_group_populated(g, err);
		if (populated < 0)
			return -1;
		if (populated)
			f.alive = VM_ALIVE_STALE;
	}
	*ret = f.alive;
	return 0;
}

int vm_guest_alive_make(const struct vm_guest *g, int *ret_fd, struct vm_err *err)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	VM_AUTO_FD int fd = -1;
	int held;

	held = vm_run_lock_held(g->run, VM_RUN_ALIVE);
	if (held < 0)
		return vm_err_sys(err, "open %s", VM_RUN_ALIVE);
	if (held)
		return vm_err_set(err, VM_IN_USE, "its process is alive");
	/* Anew: a descriptor of the old one that somebody kept must not speak for the new run. */
	if (unlinkat(g->run, VM_RUN_ALIVE, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove %s", VM_RUN_ALIVE);
	fd = openat(g->run, VM_RUN_ALIVE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return vm_err_sys(err, "create %s", VM_RUN_ALIVE);
	if (fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return vm_err_sys(err, "lock %s", VM_RUN_ALIVE);
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* Does this descriptor's open file hold an OFD write lock?  Source: Linux fs/proc/fd.c: "lock:"
 * lines in fdinfo are those of the open file itself. */
static bool fd_has_lock(int fdinfo, const char *fd_name)
{
	VM_AUTO_FD int fd = -1;
	char buf[4096], *lock;
	ssize_t n;

	fd = openat(fdinfo, fd_name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	lock = strstr(buf, "\nlock:");
	return lock && strstr(lock, "OFDLCK") && strstr(lock, "WRITE");
}

static void dir_closep(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *dir_at(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d;

	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	return d;
}

static bool holds(int proc, const char *pid, const struct stat *alive)
{
	VM_AUTO(dir_closep) DIR *fds = NULL;
	VM_AUTO_FD int info = -1;
	struct dirent *e;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "%.20s/fdinfo", pid);
	info = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fds = dir_at(proc, path);
	if (info < 0 || !fds)
		return false;
	while ((e = readdir(fds)))
		if (fstatat(dirfd(fds), e->d_name, &st, 0) == 0 && st.st_ino == alive->st_ino &&
		    st.st_dev == alive->st_dev && fd_has_lock(info, e->d_name))
			return true;
	return false;
}

/*
 * Kills who holds the write lock of `alive`: a process nobody wrote down, because its start was
 * killed right there.  The kernel does not tell an OFD lock's holder, so every descriptor is looked
 * at.
 */
static int kill_holders(int run_fd, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(dir_closep) DIR *proc = dir_at(AT_FDCWD, "/proc");
	struct vm_procid id;
	struct dirent *e;
	struct stat alive;
	pid_t pid;

	if (!proc)
		return vm_err_sys(err, "look at the processes");
	if (fstatat(run_fd, VM_RUN_ALIVE, &alive, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "look at %s", VM_RUN_ALIVE);
	while ((e = readdir(proc))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		pid = (pid_t)strtol(e->d_name, NULL, 10);
		/* identity first, so that what is killed is what was looked at */
		if (pid < 2 || pid == getpid() || vm_procid_of(pid, &id, err) < 0 ||
		    !holds(dirfd(proc), e->d_name, &alive))
			continue;
		if (vm_procid_kill(&id, SIGKILL, deadline, err) < 0)
			return -1;
	}
	return 0;
}

int vm_guest_make_dead(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_procid id;

	if (vm_guest_group_kill && vm_guest_group_kill(g, deadline, err) < 0)
		return -1;
	if (vm_record_get_procid(&g->record, VM_KEY_PID, &id) &&
	    vm_procid_kill(&id, SIGKILL, deadline, err) < 0)
		return vm_err_wrap(err, "kill process %d", (int)id.pid);
	if (g->run < 0)
		return 0;
	while (vm_run_lock_held(g->run, VM_RUN_ALIVE) == 1) {
		if (kill_holders(g->run, deadline, err) < 0)
			return vm_err_wrap(err, "kill its process");
		if (vm_run_lock_held(g->run, VM_RUN_ALIVE) != 1)
			break;
		if (vm_deadline_passed(deadline)) {
			vm_err_set(err, VM_TIMED_OUT, "a process that holds %s lives on",
				   VM_RUN_ALIVE);
			return vm_err_hint(err, "fuser -v %s/%s/%s", g->state->run_path, g->name,
					   VM_RUN_ALIVE);
		}
		usleep(1000);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "systemd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/strbuf.h>

#include "dbus.h"

#define SYSTEMD	      "org.freedesktop.systemd1"
#define MANAGER	      SYSTEMD ".Manager"
#define MANAGER_PATH  "/org/freedesktop/systemd1"
#define BUS	      "org.freedesktop.DBus"
#define UNIT_NAME_MAX 255u /* Source: systemd.unit(5) */
#define PREFIX	      "vm-"
#define SUFFIX	      ".scope"
#define SYSTEM_RUN	"/run"
#define JOBS_MAX      16u
#define JOB_PATH_MAX  128u
#define LINGER_MS     3000u /* how long a run's watcher may take to go */
#define RETRY_MS      20u

/* Ends of jobs that were told of so far. */
struct job {
	char path[JOB_PATH_MAX], result[32];
};
struct vm_systemd {
	struct vm_dbus bus;
	bool via_bus;
	struct job jobs[JOBS_MAX]; /* a ring: only the latest matter */
	size_t njobs;
};

/* ---- names ---- */

char *vm_systemd_escape(const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	for (const char *p = text; *p; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z') || *p == ':' || *p == '_' ||
			     (*p == '.' && p > text);

		if (*p == '/')
			vm_strbuf_putc(&b, '-');
		else if (plain)
			vm_strbuf_putc(&b, *p);
		else
			vm_strbuf_printf(&b, "\\x%02x", (unsigned)(unsigned char)*p);
	}
	return vm_strbuf_take(&b);
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

char *vm_systemd_scope_name(const char *guest)
{
	VM_AUTO_FREE char *escaped = vm_systemd_escape(guest);
	const size_t room = UNIT_NAME_MAX - strlen(PREFIX) - strlen(SUFFIX);
	const size_t hashed = strlen(".0123456789abcdef");
	size_t len = strlen(escaped);

	if (len <= room)
		return vm_xasprintf(PREFIX "%s" SUFFIX, escaped);
	len = room - hashed;
	/* not inside of \xhh */
	for (size_t back = 1; back <= 3; back++)
		if (escaped[len - back] == '\\') {
			len -= back;
			break;
		}
	return vm_xasprintf(PREFIX "%.*s.%016llx" SUFFIX, (int)len, escaped,
			    (unsigned long long)hash(guest));
}

/* ---- the connection ---- */

static void note_signal(void *arg, const struct vm_dbus_msg *m)
{
	struct vm_systemd *s = arg;
	struct vm_dbus_in body = m->body;
	const char *path, *result;
	struct job *job;

	if (strcmp(m->member, "JobRemoved") != 0 || strcmp(m->interface, MANAGER) != 0 ||
	    strcmp(m->signature, "uoss") != 0)
		return;
	vm_dbus_get_u32(&body);
	path = vm_dbus_get_str(&body);
	vm_dbus_get_str(&body);
	result = vm_dbus_get_str(&body);
	if (body.bad || strlen(path) >= JOB_PATH_MAX)
		return;
	job = &s->jobs[s->njobs++ % JOBS_MAX];
	snprintf(job->path, sizeof(job->path), "%s", path);
	snprintf(job->result, sizeof(job->result), "%s", result);
}

/* A bus wants to be greeted, and told which signals are wanted. */
static int greet(struct vm_systemd *s, struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_dbus_call hello = {BUS,  "/org/freedesktop/DBus", BUS, "Hello",
				     NULL, VM_STRBUF_INIT};
	struct vm_dbus_call match = {BUS, "/org/freedesktop/DBus", BUS, "AddMatch",
				     "s", VM_STRBUF_INIT};
	int r;

	if (vm_dbus_call(&s->bus, &hello, deadline, NULL, err) < 0)
		return -1;
	vm_dbus_put_str(&match.body, "type='signal',sender='" SYSTEMD "',interface='" MANAGER
				     "',member='JobRemoved',path='" MANAGER_PATH "'");
	r = vm_dbus_call(&s->bus, &match, deadline, NULL, err);
	vm_strbuf_free(&match.body);
	return r;
}

int vm_systemd_open_fd(int fd, bool via_bus, struct vm_deadline deadline, struct vm_systemd **ret,
		       struct vm_err *err)
{
	struct vm_systemd *s = vm_xcalloc(1, sizeof(*s));

	s->bus = VM_DBUS_INIT;
	s->via_bus = via_bus;
	if (vm_dbus_open(&fd, deadline, &s->bus, err) < 0)
		goto fail;
	s->bus.on_signal = note_signal;
	s->bus.arg = s;
	if (via_bus && greet(s, deadline, err) < 0)
		goto fail;
	*ret = s;
	return 0;
fail:
	vm_systemd_close(s);
	return vm_err_wrap(err, "systemd");
}

/* Source: systemd's and D-Bus's own places; a user's manager has the same below its runtime
 * directory, its bus excepted. */
static const struct {
	const char *dir, *name;
	bool via_bus;
} places[] = {
    {"systemd", "private", false},
    {"dbus", "system_bus_socket", true},
    {".", "bus", true},
};

bool vm_systemd_present(const char *run_dir)
{
	VM_AUTO_FREE char *system = vm_xasprintf("%s/systemd/system", run_dir);
	VM_AUTO_FREE char *socket = vm_xasprintf("%s/systemd/private", run_dir);

	/* Source: sd_booted(3); a user's manager has its socket only. */
	return access(system, F_OK) == 0 || access(socket, F_OK) == 0;
}

int vm_systemd_open(const char *run_dir, struct vm_deadline deadline, struct vm_systemd **ret,
		    struct vm_err *err)
{
	struct vm_err first = VM_ERR_INIT;

	if (run_dir == NULL)
		run_dir = SYSTEM_RUN;
	if (!vm_systemd_present(run_dir))
		return vm_err_set(err, VM_NOT_FOUND, "there is no systemd");
	for (size_t i = 0; i < VM_COUNT(places); i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", run_dir, places[i].dir);
		VM_AUTO_FD int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct vm_err why = VM_ERR_INIT;
		int fd;

		if (dir < 0)
			continue;
		if (vm_sock_connect(dir, places[i].name, deadline, &fd, &why) == 0)
			return vm_systemd_open_fd(fd, places[i].via_bus, deadline, ret, err);
		if (first.kind == VM_OK || (first.kind == VM_NOT_FOUND && why.kind != VM_NOT_FOUND))
			first = why;
	}
	if (first.kind == VM_OK)
		return vm_err_set(err, VM_NOT_FOUND, "systemd has no socket in %s", run_dir);
	*err = first;
	return vm_err_wrap(err, "systemd");
}

void vm_systemd_close(struct vm_systemd *s)
{
	if (!s)
		return;
	vm_dbus_close(&s->bus);
	free(s);
}

void vm_systemd_closep(struct vm_systemd **s)
{
	vm_systemd_close(*s);
	*s = NULL;
}

static struct vm_dbus_call manager_call(const char *member, const char *signature)
{
	return (struct vm_dbus_call){SYSTEMD, MANAGER_PATH, MANAGER,
				     member,  signature,    VM_STRBUF_INIT};
}

static int call_free(struct vm_systemd *s, struct vm_dbus_call *call, struct vm_deadline deadline,
		     struct vm_dbus_msg *ret, struct vm_err *err)
{
	int r = vm_dbus_call(&s->bus, call, deadline, ret, err);

	vm_strbuf_free(&call->body);
	return r;
}

/* ---- jobs ---- */

static int job_failed(const char *unit, const char *result, struct vm_err *err)
{
	if (strcmp(result, "done") == 0 || strcmp(result, "skipped") == 0)
		return 0;
	return vm_err_set(err, VM_SYSTEM, "systemd: the job for %s ended as '%s'", unit, result);
}

static int wait_job(struct vm_systemd *s, const char *unit, const char *path,
		    struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_dbus_msg m;

	for (;;) {
		size_t kept = s->njobs < JOBS_MAX ? s->njobs : JOBS_MAX;

		for (size_t i = 0; i < kept; i++)
			if (strcmp(s->jobs[i].path, path) == 0)
				return job_failed(unit, s->jobs[i].result, err);
		if (vm_deadline_passed(deadline))
			return vm_err_set(err, VM_TIMED_OUT, "systemd: the job for %s does not end",
					  unit);
		if (vm_dbus_next(&s->bus, deadline, &m, err) < 0)
			return vm_err_wrap(err, "systemd: the job for %s", unit);
		if (m.type == VM_DBUS_SIGNAL)
			note_signal(s, &m);
	}
}

/* Makes a call that answers with a job, and waits for that. */
static int run_job(struct vm_systemd *s, struct vm_dbus_call *call, const char *unit,
		   struct vm_deadline deadline, struct vm_err *err)
{
	char path[JOB_PATH_MAX];
	struct vm_dbus_msg m;
	const char *job;

	if (call_free(s, call, deadline, &m, err) < 0)
		return vm_err_wrap(err, "systemd: %s", unit);
	job = vm_dbus_get_str(&m.body);
	if (m.body.bad || strcmp(m.signature, "o") != 0 || strlen(job) >= sizeof(path))
		return vm_err_set(err, VM_BAD_INPUT, "systemd: the answer to %s is no job",
				  call->member);
	snprintf(path, sizeof(path), "%s", job);
	return wait_job(s, unit, path, deadline, err);
}

/* ---- properties: (sv) ---- */

static void begin_property(struct vm_strbuf *b, const char *name, const char *signature)
{
	vm_dbus_put_align(b, 8);
	vm_dbus_put_str(b, name);
	vm_dbus_put_sig(b, signature);
}

static void put_string(struct vm_strbuf *b, const char *name, const char *value)
{
	begin_property(b, name, "s");
	vm_dbus_put_str(b, value);
}

static void put_bool(struct vm_strbuf *b, const char *name, bool value)
{
	begin_property(b, name, "b");
	vm_dbus_put_u32(b, value);
}

static void put_u64(struct vm_strbuf *b, const char *name, uint64_t value)
{
	begin_property(b, name, "t");
	vm_dbus_put_u64(b, value);
}

static void put_strings(struct vm_strbuf *b, const char *name, const char *value)
{
	struct vm_dbus_array a;

	begin_property(b, name, "as");
	a = vm_dbus_put_array(b, 4);
	vm_dbus_put_str(b, value);
	vm_dbus_end_array(b, a);
}

static void put_pids(struct vm_strbuf *b, const pid_t *pids, size_t n)
{
	struct vm_dbus_array a;

	begin_property(b, "PIDs", "au");
	a = vm_dbus_put_array(b, 4);
	for (size_t i = 0; i < n; i++)
		vm_dbus_put_u32(b, (uint32_t)pids[i]);
	vm_dbus_end_array(b, a);
}

/* ---- scopes ---- */

static void put_scope(struct vm_strbuf *b, const struct vm_systemd_scope *scope)
{
	struct vm_dbus_array a;

	vm_dbus_put_str(b, scope->unit);
	vm_dbus_put_str(b, "fail");
	a = vm_dbus_put_array(b, 8);
	if (scope->description)
		put_string(b, "Description", scope->description);
	if (scope->slice)
		put_string(b, "Slice", scope->slice);
	put_bool(b, "Delegate", true);
	/* a scope that failed is not kept: the next start must not find it */
	put_string(b, "CollectMode", "inactive-or-failed");
	if (scope->tasks_max)
		put_u64(b, "TasksMax", scope->tasks_max);
	if (scope->ordered) {
		/* At shutdown vm-guests.service, which is behind that target, stops first; whatever
		 * is still there then gets SIGTERM, on which QEMU ends like by a power cut. */
		put_bool(b, "DefaultDependencies", false);
		put_strings(b, "Before", "vm-guests.target");
		put_strings(b, "Wants", "vm-guests.service");
	}
	put_pids(b, scope->pids, scope->npids);
	vm_dbus_end_array(b, a);
	/* auxiliary units: none */
	a = vm_dbus_put_array(b, 8);
	vm_dbus_end_array(b, a);
}

int vm_systemd_unit_cgroup(struct vm_systemd *s, const char *unit, struct vm_deadline deadline,
			   char **ret_cgroup, struct vm_err *err)
{
	struct vm_dbus_call get = manager_call("GetUnit", "s");
	struct vm_dbus_call property = {SYSTEMD, NULL, BUS ".Properties",
					"Get",	 "ss", VM_STRBUF_INIT};
	const char *dot = strrchr(unit, '.');
	VM_AUTO_FREE char *path = NULL;
	struct vm_dbus_msg m;
	const char *sig, *value;

	assert(dot);
	vm_dbus_put_str(&get.body, unit);
	if (call_free(s, &get, deadline, &m, err) < 0)
		return vm_err_wrap(err, "systemd: %s", unit);
	path = vm_xstrdup(vm_dbus_get_str(&m.body));
	if (m.body.bad || strcmp(m.signature, "o") != 0)
		return vm_err_set(err, VM_BAD_INPUT, "systemd: the answer to GetUnit is no object");
	property.path = path;
	vm_dbus_put_str(&property.body,
			strcmp(dot, SUFFIX) == 0 ? SYSTEMD ".Scope" : SYSTEMD ".Service");
	vm_dbus_put_str(&property.body, "ControlGroup");
	if (call_free(s, &property, deadline, &m, err) < 0)
		return vm_err_wrap(err, "systemd: %s", unit);
	sig = vm_dbus_get_sig(&m.body);
	value = vm_dbus_get_str(&m.body);
	if (m.body.bad || strcmp(m.signature, "v") != 0 || strcmp(sig, "s") != 0)
		return vm_err_set(err, VM_BAD_INPUT, "systemd: no group of %s in the answer", unit);
	if (*value != '/' || strstr(value, "/../") != NULL)
		return vm_err_set(err, VM_NOT_FOUND, "systemd: %s has no group", unit);
	*ret_cgroup = vm_xstrdup(value);
	return 0;
}

/* Asks for a scope whose last process has gone, and is about to go itself, to go. */
static int clear_scope(struct vm_systemd *s, const char *unit, struct vm_deadline deadline,
		       struct vm_err *err)
{
	struct vm_dbus_call get = manager_call("GetUnitProcesses", "s");
	struct vm_dbus_msg m;
	uint32_t bytes;

	vm_dbus_put_str(&get.body, unit);
	if (call_free(s, &get, deadline, &m, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : vm_err_wrap(err, "systemd: %s", unit);
	bytes = vm_dbus_get_u32(&m.body);
	if (m.body.bad || strcmp(m.signature, "a(sus)") != 0)
		return vm_err_set(err, VM_BAD_INPUT,
				  "systemd: the answer to GetUnitProcesses is no list");
	if (bytes > 0) {
		vm_err_set(err, VM_IN_USE, "systemd has a unit %s with processes in it already",
			   unit);
		return vm_err_hint(err, "see what it is: systemctl status '%s'", unit);
	}
	return vm_systemd_unit_stop(s, unit, deadline, err);
}

/* The watcher of a run that has ended goes a moment after what it reported. */
static int wait_a_little(struct vm_systemd *s, struct vm_err *err)
{
	struct vm_dbus_msg m;

	if (vm_dbus_next(&s->bus, vm_deadline_in(RETRY_MS), &m, err) < 0) {
		if (err->kind != VM_TIMED_OUT)
			return -1;
		*err = VM_ERR_INIT;
	} else if (m.type == VM_DBUS_SIGNAL) {
		note_signal(s, &m);
	}
	return 0;
}

int vm_systemd_scope_create(struct vm_systemd *s, const struct vm_systemd_scope *scope,
			    struct vm_deadline deadline, char **ret_cgroup, struct vm_err *err)
{
	struct vm_deadline patience = vm_deadline_min(deadline, vm_deadline_in(LINGER_MS));

	assert(scope->npids > 0);
	for (;;) {
		struct vm_dbus_call call = manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))");

		put_scope(&call.body, scope);
		if (run_job(s, &call, scope->unit, deadline, err) == 0)
			break;
		if (strcmp(s->bus.error, SYSTEMD ".UnitExists") != 0)
			return -1;
		if (vm_deadline_passed(deadline))
			return -1;
		if (clear_scope(s, scope->unit, deadline, err) == 0)
			continue;
		if (err->kind != VM_IN_USE || vm_deadline_passed(patience) ||
		    wait_a_little(s, err) < 0)
			return -1;
	}
	return vm_systemd_unit_cgroup(s, scope->unit, deadline, ret_cgroup, err);
}

int vm_systemd_unit_stop(struct vm_systemd *s, const char *unit, struct vm_deadline deadline,
			 struct vm_err *err)
{
	struct vm_dbus_call call = manager_call("StopUnit", "ss");

	vm_dbus_put_str(&call.body, unit);
	vm_dbus_put_str(&call.body, "replace");
	if (run_job(s, &call, unit, deadline, err) == 0)
		return 0;
	return strcmp(s->bus.error, SYSTEMD ".NoSuchUnit") == 0 ? 0 : -1;
}

int vm_systemd_unit_set(struct vm_systemd *s, const char *unit,
			const struct vm_systemd_limit *limits, size_t n,
			struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_dbus_call call = manager_call("SetUnitProperties", "sba(sv)");
	struct vm_dbus_array a;

	vm_dbus_put_str(&call.body, unit);
	vm_dbus_put_u32(&call.body, true); /* runtime */
	a = vm_dbus_put_array(&call.body, 8);
	for (size_t i = 0; i < n; i++)
		put_u64(&call.body, limits[i].property, limits[i].value);
	vm_dbus_end_array(&call.body, a);
	if (call_free(s, &call, deadline, NULL, err) < 0)
		return vm_err_wrap(err, "systemd: %s", unit);
	return 0;
}

bool vm_systemd_delegated(int group_fd)
{
	static const char *const names[] = {"user.delegate", "trusted.delegate"};
	char value[4];

	for (size_t i = 0; i < VM_COUNT(names); i++)
		if (fgetxattr(group_fd, names[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	return false;
}

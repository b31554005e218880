/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "qemu/caps/caps_private.h"
#include "qemu/caps/caps_schema.h"
#include "qemu/qmp/qmp.h"

#define STDERR_MAX   65536
#define MONITOR_FD   3
#define ROUNDS_MAX   8
#define MACHINES_MAX 1000
#define CPUS_MAX     4000

/* One run of the emulator. */
struct probe {
	const char *emulator, *machine;
	pid_t pid;
	int pidfd, err_fd;
	struct vm_qmp *q;
	struct vm_deadline deadline;
	size_t device; /* next of vm_qemu_caps_devices to ask about */
	bool asked;    /* everything else is known */
	struct vm_record r;
};

/* ---- lists of words ---- */

static bool is_word(const char *s)
{
	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static void add_word(struct vm_strbuf *b, const char *prefix, const char *word)
{
	if (!is_word(word))
		return;
	if (b->len > 0)
		vm_strbuf_putc(b, ' ');
	vm_strbuf_puts(b, prefix);
	vm_strbuf_puts(b, word);
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void add_flag(struct vm_strbuf *b, const json_t *object, const char *name, const char *word)
{
	if (json_is_true(json_object_get(object, name)))
		add_word(b, "", word);
}

/* Sets key to the words collected, if any. */
static void keep(struct vm_record *r, const char *key, const struct vm_strbuf *b)
{
	if (b->len > 0)
		vm_record_set(r, key, b->text);
}

/* ---- what each reply becomes ---- */

static void on_version(struct vm_record *r, const json_t *v)
{
	const json_t *qemu = json_object_get(v, "qemu");
	const char *package = member(v, "package");

	vm_record_setf(r, "version", "%lld.%lld.%lld",
		       (long long)json_integer_value(json_object_get(qemu, "major")),
		       (long long)json_integer_value(json_object_get(qemu, "minor")),
		       (long long)json_integer_value(json_object_get(qemu, "micro")));
	if (package != NULL && package[0] != '\0')
		vm_record_set(r, "package", package);
}

static void on_target(struct vm_record *r, const json_t *v)
{
	if (is_word(member(v, "arch")))
		vm_record_set(r, "arch", member(v, "arch"));
}

static void on_kvm(struct vm_record *r, const json_t *v)
{
	vm_record_set(r, "kvm", json_is_true(json_object_get(v, "present")) ? "yes" : "no");
}

static void on_tpm(struct vm_record *r, const json_t *v)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const json_t *item;
	size_t i;

	json_array_foreach(v, i, item) add_word(&b, "", json_string_value(item));
	keep(r, "tpm", &b);
}

static void on_machines(struct vm_record *r, const json_t *v)
{
	const json_t *m;
	size_t i;

	json_array_foreach(v, i, m)
	{
		VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

		if (!is_word(member(m, "name")) || i >= MACHINES_MAX)
			continue;
		add_word(&b, "name:", member(m, "name"));
		add_word(&b, "alias:", member(m, "alias"));
		add_word(&b, "default-cpu:", member(m, "default-cpu-type"));
		add_word(&b, "ram-id:", member(m, "default-ram-id"));
		vm_strbuf_printf(&b, " cpu-max:%lld",
				 (long long)json_integer_value(json_object_get(m, "cpu-max")));
		add_flag(&b, m, "is-default", "default");
		add_flag(&b, m, "hotpluggable-cpus", "hotpluggable-cpus");
		add_flag(&b, m, "numa-mem-supported", "numa-mem");
		add_flag(&b, m, "deprecated", "deprecated");
		vm_record_add(r, "machine", b.text);
	}
}

static void on_cpus(struct vm_record *r, const json_t *v)
{
	const json_t *m;
	size_t i;

	json_array_foreach(v, i, m)
	{
		VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

		if (!is_word(member(m, "name")) || i >= CPUS_MAX)
			continue;
		add_word(&b, "name:", member(m, "name"));
		add_word(&b, "alias-of:", member(m, "alias-of"));
		add_flag(&b, m, "static", "static");
		add_flag(&b, m, "migration-safe", "migration-safe");
		add_flag(&b, m, "deprecated", "deprecated");
		vm_record_add(r, "cpu", b.text);
	}
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static void on_types(struct vm_record *r, const json_t *v)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const json_t *item;
	size_t i;

	json_array_foreach(v, i, item)
	{
		const char *name = member(item, "name");

		/* Machines and CPUs have lists of their own. */
		if (name != NULL && !ends_with(name, "-machine") && !ends_with(name, "-cpu"))
			add_word(&b, "", name);
	}
	keep(r, "types", &b);
}

static void on_options(struct vm_record *r, const json_t *v)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const json_t *option, *parameter;
	size_t i, k;

	json_array_foreach(v, i, option)
	{
		const char *name = member(option, "option");

		if (!is_word(name))
			continue;
		add_word(&b, "", name);
		json_array_foreach(json_object_get(option, "parameters"), k, parameter)
		{
			if (is_word(member(parameter, "name")))
				vm_strbuf_printf(&b, " %s.%s", name, member(parameter, "name"));
		}
	}
	keep(r, "options", &b);
}

static void on_schema(struct vm_record *r, const json_t *v)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf commands = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf events = VM_STRBUF_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf schema = VM_STRBUF_INIT;
	json_t *index = vm_qemu_schema_index(v);
	const json_t *entry, *argument;
	size_t i, k;

	json_array_foreach(v, i, entry)
	{
		const char *name = member(entry, "name"), *meta = member(entry, "meta-type");

		if (!is_word(name) || meta == NULL)
			continue;
		if (strcmp(meta, "event") == 0)
			add_word(&events, "", name);
		if (strcmp(meta, "command") != 0)
			continue;
		add_word(&commands, "", name);
		json_array_foreach(vm_qemu_schema_arguments(index, name), k, argument)
		{
			if (is_word(member(argument, "name")))
				vm_strbuf_printf(&commands, " %s.%s", name,
						 member(argument, "name"));
		}
	}
	for (i = 0; vm_qemu_caps_schema[i].name != NULL; i++)
		if (vm_qemu_schema_has(index, vm_qemu_caps_schema[i].path))
			add_word(&schema, "", vm_qemu_caps_schema[i].name);
	json_decref(index);
	keep(r, "commands", &commands);
	keep(r, "events", &events);
	keep(r, "schema", &schema);
}

static void on_properties(struct vm_record *r, const char *device, const json_t *v)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE char *key = vm_xasprintf("props.%s", device);
	const json_t *item;
	size_t i;

	json_array_foreach(v, i, item) add_word(&b, "", member(item, "name"));
	keep(r, key, &b);
}

static const struct question {
	const char *command;
	void (*on_reply)(struct vm_record *r, const json_t *v);
	bool optional; /* not every binary has the command */
} questions[] = {
    {"query-version", on_version, false},
    {"query-target", on_target, false},
    {"query-kvm", on_kvm, true},
    {"query-tpm-models", on_tpm, true},
    {"query-machines", on_machines, false},
    {"query-cpu-definitions", on_cpus, true},
    {"qom-list-types", on_types, false},
    {"query-command-line-options", on_options, true},
    {"query-qmp-schema", on_schema, false},
};

/* ---- asking ---- */

static int ask_questions(struct probe *p, struct vm_err *err)
{
	uint64_t ids[VM_COUNT(questions)];
	size_t i;

	for (i = 0; i < VM_COUNT(questions); i++)
		if (vm_qmp_send(p->q, &ids[i], err, questions[i].command, NULL) < 0)
			return -1;
	for (i = 0; i < VM_COUNT(questions); i++) {
		struct vm_err why = VM_ERR_INIT;
		json_t *value = NULL;

		if (vm_qmp_recv(p->q, ids[i], p->deadline, &value, &why) < 0) {
			if (vm_qmp_refused(p->q) != NULL && questions[i].optional)
				continue;
			*err = why;
			return -1;
		}
		questions[i].on_reply(&p->r, value);
		json_decref(value);
	}
	p->asked = true;
	return 0;
}

/* From p->device on, which stands at the one that failed if the emulator ends. */
static int ask_devices(struct probe *p, struct vm_err *err)
{
	uint64_t ids[VM_QMP_PENDING_MAX];
	size_t first = p->device, i;

	for (i = first; vm_qemu_caps_devices[i] != NULL; i++) {
		assert(i < VM_COUNT(ids));
		if (vm_qmp_send(p->q, &ids[i], err, "device-list-properties", "{s:s}", "typename",
				vm_qemu_caps_devices[i]) < 0)
			return -1;
	}
	for (i = first; vm_qemu_caps_devices[i] != NULL; i++) {
		struct vm_err why = VM_ERR_INIT;
		json_t *value = NULL;

		p->device = i;
		if (vm_qmp_recv(p->q, ids[i], p->deadline, &value, &why) < 0) {
			/* This binary has no such device. */
			if (vm_qmp_refused(p->q) != NULL)
				continue;
			*err = why;
			return -1;
		}
		on_properties(&p->r, vm_qemu_caps_devices[i], value);
		json_decref(value);
	}
	return 0;
}

static int ask(struct probe *p, struct vm_err *err)
{
	if (vm_qmp_send(p->q, NULL, err, "qmp_capabilities", NULL) < 0 ||
	    (!p->asked && ask_questions(p, err) < 0))
		return -1;
	return ask_devices(p, err);
}

/* ---- running ---- */

static int die_with_parent(void *arg)
{
	(void)arg;
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? errno : 0;
}

static int launch(struct probe *p, struct vm_err *err)
{
	const char *const argv[] = {p->emulator,
				    "-machine",
				    p->machine,
				    "-nodefaults",
				    "-no-user-config",
				    "-S",
				    "-display",
				    "none",
				    "-chardev",
				    "socket,id=mon,fd=3",
				    "-mon",
				    "chardev=mon,mode=control",
				    NULL};
	VM_AUTO_FD int theirs = -1, err_write = -1;
	struct vm_spawn_fd fd = {.to = MONITOR_FD};
	struct vm_spawn spec = {.argv = argv,
				.in = -1,
				.out = -1,
				.fds = &fd,
				.nfds = 1,
				.new_session = true,
				.before_exec = die_with_parent};
	int sv[2], pipes[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return vm_err_sys(err, "socketpair");
	p->q = vm_qmp_new(sv[0]);
	vm_qmp_line_max(p->q, VM_QMP_LINE_MAX_SCHEMA);
	theirs = sv[1];
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return vm_err_sys(err, "pipe");
	p->err_fd = pipes[0];
	err_write = pipes[1];
	spec.err = err_write;
	fd.from = theirs;
	return vm_spawn(&spec, &p->pid, &p->pidfd, err);
}

/* The last line the emulator wrote to stderr; "" = none.  Owned. */
static char *last_line(int fd)
{
	VM_AUTO_FREE char *text = vm_xcalloc(1, STDERR_MAX + 1);
	size_t len = 0;
	ssize_t n;
	char *line;

	while (len < STDERR_MAX && (n = read(fd, text + len, STDERR_MAX - len)) > 0)
		len += (size_t)n;
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	line = strrchr(text, '\n');
	return vm_xstrdup(line != NULL ? line + 1 : text);
}

/* The probe failed: what the emulator did tells more than what the monitor saw. */
static int explain(struct probe *p, struct vm_err *err)
{
	VM_AUTO_FREE char *line = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	int status = 0;

	if (err->kind == VM_TIMED_OUT)
		return vm_err_set(err, VM_TIMED_OUT, "emulator %s: does not answer", p->emulator);
	if (!vm_qmp_broken(p->q))
		return vm_err_wrap(err, "emulator %s", p->emulator);
	if (vm_child_wait(p->pid, p->pidfd, vm_deadline_in(1000), &status, &ignored) < 0)
		return vm_err_wrap(err, "emulator %s", p->emulator);
	p->pid = -1;
	line = last_line(p->err_fd);
	if (WIFSIGNALED(status))
		return vm_err_set(err, VM_HYPERVISOR, "emulator %s: died of signal %d%s%s",
				  p->emulator, WTERMSIG(status), *line != '\0' ? ": " : "", line);
	return vm_err_set(err, VM_HYPERVISOR, "emulator %s: ended with status %d%s%s", p->emulator,
			  WEXITSTATUS(status), *line != '\0' ? ": " : "", line);
}

static void stop(struct probe *p)
{
	vm_qmp_close(&p->q);
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = -1;
	vm_cleanup_fd(&p->pidfd);
	vm_cleanup_fd(&p->err_fd);
}

static void probe_close(struct probe *p)
{
	stop(p);
	vm_record_free(&p->r);
}

/* Takes a device that is there by name only out of the list of types. */
static void forget_type(struct vm_record *r, const char *device)
{
	VM_AUTO_FREE char *types = vm_xstrdup(vm_record_get(r, "types"));
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	char *save = NULL;

	if (types == NULL)
		return;
	for (char *word = strtok_r(types, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		if (strcmp(word, device) != 0)
			add_word(&b, "", word);
	keep(r, "types", &b);
}

/*
 * A device of which only a part is installed makes the emulator exit when it is asked about it
 * ("missing object type"): it is passed over in another run.  Source: type_initialize() of
 * qom/object.c, QEMU 7.2.
 */
static int run_all(struct probe *p, struct vm_err *err)
{
	for (unsigned round = 0;; round++) {
		struct vm_err why = VM_ERR_INIT;

		if (launch(p, err) < 0)
			return vm_err_wrap(err, "emulator %s", p->emulator);
		if (ask(p, &why) == 0)
			return 0;
		if (!p->asked || !vm_qmp_broken(p->q) || round == ROUNDS_MAX) {
			*err = why;
			return explain(p, err);
		}
		stop(p);
		forget_type(&p->r, vm_qemu_caps_devices[p->device]);
		if (vm_qemu_caps_devices[++p->device] == NULL)
			return 0;
	}
}

int vm_qemu_caps_session(const char *emulator, const char *machine, struct vm_deadline deadline,
			 int (*ask_it)(struct vm_qmp *q, struct vm_deadline deadline, void *arg,
				       struct vm_err *err),
			 void *arg, struct vm_err *err)
{
	VM_AUTO(probe_close)
	struct probe p = {.emulator = emulator, .machine = machine, .pid = -1, .pidfd = -1,
			  .err_fd = -1, .deadline = deadline, .r = VM_RECORD_INIT};

	if (launch(&p, err) < 0)
		return vm_err_wrap(err, "emulator %s", emulator);
	if (vm_qmp_send(p.q, NULL, err, "qmp_capabilities", NULL) < 0 ||
	    ask_it(p.q, deadline, arg, err) < 0)
		return explain(&p, err);
	return 0;
}

int vm_qemu_caps_probe(const char *emulator, struct vm_deadline deadline, struct vm_record *ret,
		       struct vm_err *err)
{
	VM_AUTO(probe_close)
	struct probe p = {
	    .emulator = emulator, .machine = "none,accel=tcg:kvm", .pid = -1, .pidfd = -1,
	    .err_fd = -1, .r = VM_RECORD_INIT};
	char identity[512];

	p.deadline = deadline;
	/* Taken before it runs: an upgrade meanwhile leaves a cache that nobody trusts. */
	if (vm_qemu_caps_identity(emulator, identity, sizeof(identity)) < 0)
		return vm_err_sys(err, "emulator %s", emulator);
	vm_log_step("ask %s what it can do", emulator);
	vm_record_set(&p.r, "emulator", emulator);
	vm_record_set(&p.r, "identity", identity);
	vm_record_setf(&p.r, "tables", "%" PRIx64, vm_qemu_caps_tables_hash());
	if (run_all(&p, err) < 0)
		return -1;
	*ret = p.r;
	p.r = VM_RECORD_INIT;
	return 0;
}

/*
 * Of many guests that start at once on a host whose emulator is new one asks it, and the others read what it learned.  Who has
 * the lock may hang in an emulator that does: after a while everybody asks for himself.
 */
#define TURN_MS 3000

/* 0 = *ret is what somebody else has learned meanwhile; 1: it is this one's turn, or nobody's. */
static int await_turn(const struct vm_state *s, const char *path, int dir, struct vm_deadline deadline, int *ret_lock,
		      struct vm_qemu_caps **ret, struct vm_err *err)
{
	struct vm_err ignored = VM_ERR_INIT;
	char file[32], name[40];

	vm_qemu_caps_file(path, file);
	snprintf(name, sizeof(name), "%s.lock", file);
	if (dir < 0)
		return 1;
	(void)vm_lock_take(dir, name, vm_deadline_min(deadline, vm_deadline_in(TURN_MS)), ret_lock, &ignored);
	return vm_qemu_caps_cached(s, path, ret, err);
}

int vm_qemu_caps_get(const struct vm_state *s, const char *emulator, struct vm_deadline deadline,
		     struct vm_qemu_caps **ret, struct vm_err *err)
{
	VM_AUTO(vm_qemu_caps_free) struct vm_qemu_caps *c = NULL;
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO(vm_lock_release) int lock = -1;
	VM_AUTO_FD int dir = -1;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_record r = VM_RECORD_INIT;
	char file[32];
	int rc;

	if (vm_qemu_emulator(NULL, emulator, "", &path, err) < 0)
		return -1;
	rc = vm_qemu_caps_cached(s, path, ret, err);
	if (rc <= 0)
		return rc;
	dir = vm_qemu_caps_dir(s, true);
	rc = await_turn(s, path, dir, deadline, &lock, ret, err);
	if (rc <= 0)
		return rc;
	if (vm_qemu_caps_probe(path, deadline, &r, err) < 0 ||
	    vm_qemu_caps_from_record(&r, &c, err) < 0)
		return -1;
	vm_qemu_caps_file(path, file);
	/* A cache that cannot be kept costs the next command 0.1 s, and nothing else. */
	if (dir >= 0)
		(void)vm_qemu_caps_save(c, dir, file, &ignored);
	*ret = vm_take_ptr(&c);
	return 0;
}

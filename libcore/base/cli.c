/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main() of every program: signals, parsing, the run, the report, the exit. */
#include "base/cli_impl.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/out.h>
#include <vm/process.h>
#include <vm/uri.h>

/* ---- signals ---- */

const struct vm_operand_spec vm_operands_guests[] = {
	{ .name = "GUEST", .kind = VM_OPERAND_GUEST, .optional = true, .many = true,
	  .complete = "guest" },
	{ 0 },
};

static timer_t wake_timer;
static bool have_wake_timer;

/*
 * The flag may be set just before a wait begins, which then would not notice: from now on a timer interrupts
 * every wait again and again.
 */
static void on_stop(int sig)
{
	static const struct itimerspec often = { { 0, 20000000 }, { 0, 20000000 } };
	int saved = errno;

	/* Who asks twice wants it at once: what is left undone the next command undoes. */
	if (vm_interrupted) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	vm_interrupted = sig;
	if (have_wake_timer)
		timer_settime(wake_timer, 0, &often, NULL);
	errno = saved;
}

static void on_wake(int sig)
{
	(void)sig;
}

static void catch(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler }, old;

	sigemptyset(&sa.sa_mask);
	/* what nohup or a shell's & ignores stays ignored */
	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(sig, &sa, NULL);
}

static void set_signals(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct sigaction sa = { .sa_handler = on_wake };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGALRM, &sa, NULL);
	have_wake_timer = timer_create(CLOCK_MONOTONIC, &ev, &wake_timer) == 0;
	catch(SIGINT, on_stop);
	catch(SIGTERM, on_stop);
	catch(SIGHUP, on_stop);
	/* A peer that hangs up must not kill a command in the middle; for output see vm_out_flush(). */
	signal(SIGPIPE, SIG_IGN);
}

static _Noreturn void die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	_exit(128 + sig);
}

/* ---- reports ---- */

static void json_field(struct vm_strbuf *b, const char *key, const char *text)
{
	vm_strbuf_printf(b, ",\"%s\":", key);
	vm_strbuf_json(b, text && *text ? text : NULL);
}

void vm_cli_format_error(const struct vm_program *p, bool json, const struct vm_err *err,
			 struct vm_strbuf *b)
{
	size_t len = strlen(err->object);
	const char *msg = err->msg;
	char try[128];
	const char *hint = err->hint;

	/* wrapped with the object's name on its way up: said once is enough */
	if (len && strncmp(msg, err->object, len) == 0 && strncmp(msg + len, ": ", 2) == 0)
		msg += len + 2;
	if (json) {
		snprintf(try, sizeof(try), "Try '%s --help'.", p->name);
		if (err->kind == VM_USAGE && !*hint)
			hint = try;
		vm_strbuf_puts(b, "{\"error\":{\"kind\":");
		vm_strbuf_json(b, vm_kind_name(err->kind));
		vm_strbuf_printf(b, ",\"status\":%d", (int)err->kind);
		json_field(b, "object", err->object);
		json_field(b, "message", msg);
		json_field(b, "hint", hint);
		vm_strbuf_puts(b, "}}\n");
		return;
	}
	vm_strbuf_printf(b, "%s: ", p->name);
	if (len) {
		vm_strbuf_printable(b, err->object);
		vm_strbuf_puts(b, ": ");
	}
	vm_strbuf_printable(b, msg);
	if (*hint) {
		vm_strbuf_puts(b, "; ");
		vm_strbuf_printable(b, hint);
	}
	vm_strbuf_putc(b, '\n');
	if (err->kind == VM_USAGE)
		vm_strbuf_printf(b, "Try '%s --help'.\n", p->name);
}

/* One write() each: lines of parallel commands must not mix. */
static void put_stderr(const struct vm_strbuf *b)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = write(STDERR_FILENO, b->text + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

static void report(const struct vm_program *p, bool json, const struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_cli_format_error(p, json, err, &b);
	put_stderr(&b);
}

void vm_cli_report(const struct vm_program *p, const struct vm_common *c, const struct vm_err *err)
{
	report(p, c->json, err);
}

struct log_to {
	const struct vm_program *p;
	const struct vm_common *c;
	struct vm_words *steps; /* of a dry run whose result is JSON, else NULL */
};

static void on_log(enum vm_log_level level, const char *text, void *arg)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const struct log_to *to = arg;
	bool dry = to->p->changes && to->c->dry_run && !to->c->json;

	if (level == VM_LOG_WARNING && to->c->quiet)
		return;
	if (level == VM_LOG_STEP && to->steps != NULL)
		vm_words_add(to->steps, vm_xstrdup(text));
	if (level != VM_LOG_WARNING && !to->c->verbose && !dry)
		return;
	if (level == VM_LOG_WARNING && to->c->json) {
		vm_strbuf_puts(&b, "{\"warning\":{\"message\":");
		vm_strbuf_json(&b, text);
		vm_strbuf_puts(&b, "}}\n");
		put_stderr(&b);
		return;
	}
	/* the steps of a dry run are its result */
	if (level == VM_LOG_STEP && dry) {
		vm_strbuf_printable(&b, text);
		printf("%s\n", b.text);
		return;
	}
	vm_strbuf_printf(&b, "%s: %s", to->p->name, level == VM_LOG_WARNING ? "warning: " : "");
	vm_strbuf_printable(&b, text);
	vm_strbuf_putc(&b, '\n');
	put_stderr(&b);
}

/* ---- the run ---- */

/* Delayed writes (network filesystems) report at close. */
static int finish_stdout(struct vm_err *err)
{
	int fd;

	if (vm_out_flush(stdout, err) < 0)
		return -1;
	fd = dup(STDOUT_FILENO);
	if (fd >= 0 && close(fd) < 0 && errno != EINTR)
		return vm_err_sys_kind(err, VM_SYSTEM, "write output");
	return 0;
}

static int print_text(const struct vm_program *p, enum vm_cli_want want, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (want == VM_CLI_HELP)
		vm_cli_help(p, &b);
	else if (want == VM_CLI_DESCRIBE)
		vm_cli_describe(p, &b);
	else
		vm_strbuf_printf(&b, "%s (vm-utils) %s\n", p->name, VM_VERSION);
	fputs(b.text, stdout);
	return finish_stdout(err);
}

static void audit(const struct vm_program *p, const struct vm_common *c, int status, uint64_t ms)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	const struct vm_operand_spec *s = p->operands;
	size_t i;

	for (i = 0; i < c->operands.n && s && s->name; i++) {
		if (s->kind == VM_OPERAND_GUEST || s->kind == VM_OPERAND_FILE)
			vm_strbuf_printf(&b, "%s%s", b.len ? " " : "", c->operands.v[i]);
		if (!s->many)
			s++;
	}
	vm_log_audit(b.text, NULL, status, ms);
}

/* A +ssh connection: the same tool does it over there. */
static int go_remote(const struct vm_program *p, const struct vm_cli_parsed *parsed,
		     struct vm_err *err)
{
	VM_AUTO(vm_uri_free) struct vm_uri uri = VM_URI_INIT;
	const struct vm_common *c = parsed->options;
	const char *text = c->connect ? c->connect : getenv("VM_CONNECT");
	struct vm_uri_command cmd = { .argv = parsed->again.v, .stdin_file = parsed->file,
				      .tty = p->tty, .timeout_ms = c->timeout_ms };

	if (!text || !*text)
		return 0;
	if (vm_uri_parse(text, &uri, err) < 0)
		return -1;
	if (!uri.transport)
		return 0;
	return vm_uri_exec_remote(&uri, &cmd, err);
}

static int run(const struct vm_program *p, struct vm_cli_parsed *parsed, struct vm_err *err)
{
	struct vm_common *c = parsed->options;
	uint64_t start = vm_now_ms();
	struct vm_err late = VM_ERR_INIT;
	int status, r;

	if (go_remote(p, parsed, err) < 0) {
		report(p, c->json, err);
		return (int)err->kind;
	}
	r = p->run(c, err);
	assert(r >= 0 || err->kind != VM_OK);
	status = r < 0 ? (int)err->kind : r;
	/* who pressed ^C knows why it ended */
	if (r < 0 && !(vm_interrupted && err->sys == EINTR))
		report(p, c->json, err);
	/* what failed already has been reported, maybe this very thing */
	if (finish_stdout(&late) < 0 && status == 0) {
		report(p, c->json, &late);
		status = (int)late.kind;
	}
	if (p->changes && !c->dry_run && !c->only_looked && status != VM_USAGE)
		audit(p, c, vm_interrupted ? 128 + vm_interrupted : status, vm_now_ms() - start);
	return status;
}

int vm_cli_main(const struct vm_program *p, int argc, char **argv)
{
	VM_AUTO(vm_cli_parsed_free) struct vm_cli_parsed parsed = VM_CLI_PARSED_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct log_to to;
	struct vm_words steps = { 0 };
	int status = 0;

	vm_proc_std_fds();
	vm_program_name = p->name;
	umask(022);
	set_signals();
	if (vm_cli_parse(p, argc, argv, &parsed, &err) < 0) {
		report(p, parsed.json, &err);
		return (int)err.kind;
	}
	if (parsed.want != VM_CLI_RUN) {
		if (print_text(p, parsed.want, &err) == 0)
			return 0;
		report(p, parsed.json, &err);
		return (int)err.kind;
	}
	to = (struct log_to){ p, parsed.options, NULL };
	if (p->changes && to.c->dry_run && to.c->json)
		vm_out_steps(to.steps = &steps);
	vm_log_set_sink(on_log, &to);
	status = run(p, &parsed, &err);
	vm_log_set_sink(NULL, NULL);
	vm_out_steps(NULL);
	vm_words_free(&steps);
	if (vm_interrupted)
		die_of(vm_interrupted);
	return status;
}

/* At once, so that what is done is known whatever comes next.  Returns the status. */
static int say(const struct vm_program *p, const char *name, const char *more, const char *word,
	       int status)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;

	vm_strbuf_printable(&b, name);
	printf("%s: %s%s\n", b.text, word, more);
	if (vm_out_flush(stdout, &err) == 0)
		return status;
	clearerr(stdout); /* reported once */
	report(p, false, &err);
	return status ? status : (int)err.kind;
}

int vm_cli_each(const struct vm_program *p, const struct vm_common *c, const char *word,
		int (*each)(void *options, const char *operand, struct vm_err *err), void *options)
{
	struct vm_out *out = c->json ? vm_out_open(stdout, VM_OUT_QUIET, p->schema, true, false) : NULL;
	VM_AUTO_FREE int *done = vm_xcalloc(c->operands.n, sizeof(*done));
	struct vm_err err;
	int status = 0, r;
	size_t i, good = 0;
	bool changed = false;

	for (i = 0; i < c->operands.n && !vm_wait_interrupted(); i++) {
		const char *name = c->operands.v[i];

		err = VM_ERR_INIT;
		((struct vm_common *)options)->deadline = vm_deadline_in(c->timeout_ms);
		r = each(options, name, &err);
		done[i] = r < 0 ? -1 : 1 + (r > 0);
		if (r < 0) {
			vm_err_object(&err, name);
			if (!(vm_interrupted && err.sys == EINTR))
				report(p, c->json, &err);
			status = status ? status : (int)err.kind;
			continue;
		}
		good++;
		changed |= r == 0 && !c->dry_run;
		name = c->operands.v[i];
		if (!word || c->quiet || c->json || c->dry_run)
			continue;
		status = say(p, name, r == 0 ? "" : " already", word, status);
	}
	if (out && (good || !c->operands.n)) {
		vm_out_bool(out, "changed", changed);
		vm_out_array(out, p->things ? p->things : "guests", NULL, 0);
		for (i = 0; i < c->operands.n; i++) {
			if (done[i] <= 0)
				continue;
			vm_out_row(out);
			vm_out_str(out, "name", c->operands.v[i]);
			vm_out_bool(out, "changed", done[i] == 1 && !c->dry_run);
			vm_out_row_end(out);
		}
		vm_out_array_end(out);
		err = VM_ERR_INIT;
		if (vm_out_close(out, &err) < 0 && !status) {
			report(p, c->json, &err);
			status = (int)err.kind;
		}
	} else {
		vm_out_drop(out);
	}
	return status;
}

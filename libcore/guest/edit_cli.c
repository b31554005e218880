/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "edit_cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <driver.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/define.h>
#include <vm/file.h>
#include <vm/out.h>
#include <vm/process.h>
#include <vm/state.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

static const struct vm_out_column columns[] = {
    {"path", "PATH"},
    {"old", "OLD"},
    {"new", "NEW"},
};

struct job {
	const struct vm_program *program;
	const struct vm_common *common;
	const struct vm_edit_cli *o;
	struct vm_state state;
	char *name;
	char *text; /* the definition as it is */
	size_t len;
	char *file; /* the editor's copy, NULL = none */
	struct vm_define define;
	struct vm_out *out;
};

static void free_job(struct job *j)
{
	free(j->name);
	free(j->text);
	free(j->file);
	vm_out_drop(j->out);
	vm_state_close(&j->state);
}

static void add_difference(const char *path, const char *old_value, const char *new_value,
			   void *arg)
{
	struct vm_out *out = arg;

	vm_out_row(out);
	vm_out_str(out, "path", path);
	vm_out_str(out, "old", old_value);
	vm_out_str(out, "new", new_value);
	vm_out_row_end(out);
}

static int open_job(struct job *j, struct vm_err *err)
{
	const struct vm_common *c = j->common;
	bool dry = c->dry_run || j->o->diff;

	if (vm_state_open(c->connect, dry ? VM_STATE_READ : VM_STATE_CHANGE, &j->state, err) < 0 ||
	    vm_planner_find(j->state.driver, &j->define.planner, err) < 0)
		return -1;
	if (j->define.planner->completer == NULL)
		return vm_driver_lacks(j->state.driver, "define", err);
	if (vm_guest_resolve(&j->state, c->operands.v[0], true, &j->name, err) < 0)
		return -1;
	if (vm_definition_read(&j->state, j->name, &j->text, &j->len, err) < 0)
		return vm_err_object(err, j->name);
	j->define.state = &j->state;
	j->define.dry_run = dry;
	j->define.expected = j->text;
	j->define.expected_len = j->len;
	j->out = vm_out_open(stdout, j->o->diff ? VM_OUT_TABLE : VM_OUT_QUIET, j->program->schema,
			     c->json, false);
	return 0;
}

/* Under another name it would be another guest. */
static int check_name(const struct job *j, const struct vm_xml *doc, struct vm_err *err)
{
	vm_node n = vm_xml_child(doc, 0, "name");

	if (n == VM_NODE_NONE || strcmp(vm_xml_content(doc, n), j->name) == 0)
		return 0; /* without one: vm_guest_define() says so */
	vm_xml_error(doc, n, -1, VM_BAD_INPUT, err, "a guest is not renamed by editing it");
	vm_err_hint(err, "vm-rename %s NEW", j->name);
	return vm_err_object(err, j->name);
}

/* 0 = stored, 1 = no change. */
static int define(struct job *j, const struct vm_xml *doc, struct vm_err *err)
{
	struct vm_defined done = {0};
	int rc;

	if (check_name(j, doc, err) < 0)
		return -1;
	j->define.deadline = vm_deadline_in(j->common->timeout_ms);
	if (j->o->diff) {
		j->define.diff = add_difference;
		j->define.diff_arg = j->out;
		vm_out_array(j->out, "changes", columns, VM_COUNT(columns));
	}
	rc = vm_guest_define(&j->define, doc, &done, err);
	if (j->o->diff)
		vm_out_array_end(j->out);
	if (rc < 0)
		return vm_err_object(err, j->name);
	vm_out_str(j->out, "name", done.name);
	vm_out_str(j->out, "uuid", done.uuid);
	vm_defined_free(&done);
	return rc;
}

/* ---- --set, --remove ---- */

static int apply(struct vm_xml **doc, const char *text,
		 int (*edit_fn)(struct vm_xml_edit *, const char *, struct vm_err *),
		 struct vm_err *err)
{
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(*doc);
	struct vm_xml *now;

	if (edit_fn(edit, text, err) < 0 || vm_xml_edit_apply(edit, &now, err) < 0)
		return -1;
	vm_xml_free(*doc);
	*doc = now;
	return 0;
}

static int edit_by_paths(struct job *j, struct vm_err *err)
{
	VM_AUTO_FREE char *file = vm_xasprintf("%s/%s.xml", j->state.etc_path, j->name);
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;

	if (vm_xml_parse(j->text, j->len, file, &doc, err) < 0)
		return -1;
	/* One after the other: a later one may name what an earlier one made. */
	for (size_t i = 0; i < j->o->set.n; i++)
		if (apply(&doc, j->o->set.v[i], vm_xml_edit_set, err) < 0)
			return -1;
	for (size_t i = 0; i < j->o->remove.n; i++)
		if (apply(&doc, j->o->remove.v[i], vm_xml_edit_unset, err) < 0)
			return -1;
	return define(j, doc, err);
}

/* ---- the editor ---- */

static int write_copy(struct job *j, struct vm_err *err)
{
	const char *dir = getenv("TMPDIR");
	VM_AUTO_FD int fd = -1;
	VM_AUTO_FREE char *file =
	    vm_xasprintf("%s/vm-edit.XXXXXX.xml", dir != NULL && dir[0] == '/' ? dir : "/tmp");
	size_t done = 0;

	fd = mkostemps(file, 4, O_CLOEXEC); /* 0600: there may be passwords in it */
	if (fd < 0)
		return vm_err_sys(err, "make %s", file);
	j->file = vm_take_ptr(&file);
	while (done < j->len) {
		ssize_t n = write(fd, j->text + done, j->len - done);

		if (n < 0)
			return vm_err_sys_kind(err, VM_SYSTEM, "write %s", j->file);
		done += (size_t)n;
	}
	return 0;
}

static int run_editor(const struct job *j, struct vm_err *err)
{
	const char *editor = j->o->editor;
	VM_AUTO_FREE char *command = NULL;
	VM_AUTO_FD int pidfd = -1;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, saved;
	int status, rc;
	pid_t pid;

	if (editor == NULL)
		editor = getenv("VISUAL");
	if (editor == NULL || editor[0] == '\0')
		editor = getenv("EDITOR");
	if (editor == NULL || editor[0] == '\0')
		editor = "vi";
	command = vm_xasprintf("%s \"$1\"", editor);
	{
		const char *const argv[] = {"sh", "-c", command, "vm-edit", j->file, NULL};
		/* Standard output is ours for the result. */
		struct vm_spawn spec = {.argv = argv,
					.in = STDIN_FILENO,
					.out = j->common->json ? STDERR_FILENO : STDOUT_FILENO,
					.err = STDERR_FILENO};

		fflush(stdout);
		if (vm_spawn(&spec, &pid, &pidfd, err) < 0)
			return -1;
	}
	/* Ctrl-C in an editor is the editor's. */
	sigaction(SIGINT, &ignore, &saved);
	rc = vm_child_wait(pid, pidfd, VM_DEADLINE_NEVER, &status, err);
	sigaction(SIGINT, &saved, NULL);
	if (rc < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return vm_err_set(err, VM_SYSTEM, "the editor '%s' failed (%s %d)", editor,
			  WIFEXITED(status) ? "status" : "signal",
			  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int take_copy(struct job *j, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	size_t len;

	if (vm_file_read(AT_FDCWD, j->file, VM_XML_MAX_BYTES, &text, &len, NULL, err) < 0)
		return -1;
	if (len == j->len && memcmp(text, j->text, len) == 0)
		return 1;
	if (vm_xml_parse(text, len, j->file, &doc, err) < 0)
		return -1;
	return define(j, doc, err);
}

/* After a mistake: once more, with the text as it was left? */
static bool again(const struct job *j, const struct vm_err *err)
{
	char line[16];

	if (err->kind == VM_SYSTEM || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	vm_cli_report(j->program, j->common, err);
	fputs("Edit again? [Y/n] ", stderr);
	fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	return line[0] == 'y' || line[0] == 'Y' || line[0] == '\n';
}

static int edit_by_editor(struct job *j, struct vm_err *err)
{
	int rc;

	if (write_copy(j, err) < 0) {
		if (j->file != NULL)
			unlink(j->file);
		return -1;
	}
	do {
		*err = VM_ERR_INIT;
		rc = run_editor(j, err);
		if (rc == 0)
			rc = take_copy(j, err);
	} while (rc < 0 && again(j, err));
	if (rc < 0 && !vm_interrupted) {
		vm_err_hint(err, "what you wrote is kept in %s", j->file);
		return -1;
	}
	unlink(j->file);
	return rc;
}

int vm_edit_cli(const struct vm_program *p, const struct vm_common *c, const struct vm_edit_cli *o,
		struct vm_err *err)
{
	VM_AUTO(free_job)
	struct job j = {.program = p, .common = c, .o = o, .state = VM_STATE_INIT};
	struct vm_out *out;
	int rc;

	if (open_job(&j, err) < 0)
		return -1;
	rc = o->set.n + o->remove.n > 0 ? edit_by_paths(&j, err) : edit_by_editor(&j, err);
	if (rc < 0)
		return -1;
	vm_out_bool(j.out, "changed", rc == 0 && !j.define.dry_run);
	if (!o->diff && !c->quiet && !c->dry_run)
		vm_out_text(j.out, "%s: %s", j.name, rc == 0 ? "changed" : "unchanged");
	out = vm_take_ptr(&j.out);
	return vm_out_close(out, err);
}

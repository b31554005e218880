/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#define HOOKS_MAX  256u
#define OUTPUT_MAX 65536u

char *vm_hooks_dir(const struct vm_state *s)
{
	return vm_state_path(s->conf.hooks_path);
}

bool vm_hooks_exist(const struct vm_state *s)
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(s);
	VM_AUTO_FREE char *one = vm_xasprintf("%s/%s", dir, s->driver);
	VM_AUTO_FREE char *many = vm_xasprintf("%s/%s.d", dir, s->driver);

	return access(one, X_OK) == 0 || access(many, F_OK) == 0;
}

/* 1 = no program that is to be run. */
static int check_program(const char *path, struct vm_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 1 : vm_err_sys(err, "hook %s", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return 1;
	/* It runs with our rights. */
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 0002) != 0) {
		vm_err_set(err, VM_DENIED, "hook %s can be changed by others", path);
		return vm_err_hint(err, "chown root %s; chmod o-w %s", path, path);
	}
	return 0;
}

static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *nl;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = 0;
	nl = strrchr(text, '\n');
	return nl != NULL ? nl + 1 : text;
}

int vm_hook_run(const char *path, const struct vm_hook_call *c, struct vm_deadline deadline, struct vm_err *err)
{
	const char *const argv[] = { path, c->object, c->op, c->sub, c->extra, NULL };
	const char *op = c->op;
	VM_AUTO_FREE char *said = NULL;
	int r = check_program(path, err), status = 0;

	if (r != 0)
		return r < 0 ? -1 : 0;
	vm_log_step("hook %s %s %s %s %s", path, c->object, op, c->sub, c->extra);
	if (vm_run(argv, c->input, OUTPUT_MAX, deadline, NULL, &said, &status, err) < 0)
		return vm_err_wrap(err, "hook %s %s", path, op);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	vm_err_set(err, VM_DENIED, "hook %s refuses '%s' (%s %d)%s%s", path, op,
		   WIFSIGNALED(status) ? "signal" : "status",
		   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		   said != NULL && *said != 0 ? ": " : "",
		   said != NULL && *said != 0 ? last_line(said) : "");
	return vm_err_hint(err, "hooks are described in vm-hooks(5)");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the programs in a directory, sorted; hidden ones and backups of editors are none. */
static char **list_names(const char *dir, size_t *ret_n)
{
	DIR *d = opendir(dir);
	char **names = NULL;
	const struct dirent *e;
	size_t n = 0;

	while (d != NULL && n < HOOKS_MAX && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || e->d_name[strlen(e->d_name) - 1] == '~')
			continue;
		names = vm_xreallocarray(names, n + 1, sizeof(*names));
		names[n++] = vm_xstrdup(e->d_name);
	}
	if (d != NULL)
		closedir(d);
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	*ret_n = n;
	return names;
}

int vm_hooks_run(const struct vm_state *s, const char *guest, const char *op, const char *sub,
		 const char *document, struct vm_err *err)
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(s);
	VM_AUTO_FREE char *one = vm_xasprintf("%s/%s", dir, s->driver);
	VM_AUTO_FREE char *many = vm_xasprintf("%s/%s.d", dir, s->driver);
	const struct vm_hook_call c = { guest, op, sub, "-", document };
	int r = vm_hook_run(one, &c, vm_deadline_in(s->conf.hook_timeout_ms), err);
	size_t n;
	char **names = list_names(many, &n);

	for (size_t i = 0; i < n; i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", many, names[i]);

		if (r == 0)
			r = vm_hook_run(path, &c, vm_deadline_in(s->conf.hook_timeout_ms), err);
		free(names[i]);
	}
	free(names);
	return r;
}

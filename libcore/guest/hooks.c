/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
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
#define LINKS_MAX  40u /* as the kernel's */
#define HOOK_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char *vm_hooks_dir(const struct vm_state *s)
{
	return vm_state_path(s->conf.hooks_path);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || errno != ENOENT;
}

bool vm_hooks_exist(const struct vm_state *s)
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(s);
	VM_AUTO_FREE char *one = vm_xasprintf("%s/%s", dir, s->driver);
	VM_AUTO_FREE char *many = vm_xasprintf("%s/%s.d", dir, s->driver);

	return is_there(one) || is_there(many);
}

/* ---- may it be run? ---- */

/* It runs with our rights, so only root and the caller may say what it does. */
static int check_owner(const char *hook, const char *path, const struct stat *st, struct vm_err *err)
{
	unsigned open = st->st_mode & 0022;

	if (st->st_gid == 0 || st->st_gid == getegid())
		open &= 0002;
	/* where nobody may remove what is another's, a new name does not harm: its owner is looked at, too */
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
		open = 0;
	if (open == 0 && (st->st_uid == 0 || st->st_uid == geteuid()))
		return 0;
	vm_err_set(err, VM_DENIED, "hook %s can be changed by others: %s is of user %u, group %u, mode %04o", hook, path,
		   (unsigned)st->st_uid, (unsigned)st->st_gid, (unsigned)st->st_mode & 07777);
	return vm_err_hint(err, "chown root:root %s; chmod go-w %s", path, path);
}

/* The way to it as the kernel walks it: what is not walked yet, and where it is. */
struct walk {
	char left[PATH_MAX], at[PATH_MAX];
	unsigned links;
};

static int too_long(const char *hook, struct vm_err *err)
{
	return vm_err_set(err, VM_SYSTEM, "hook %s: its path is too long, or a circle", hook);
}

static int follow(struct walk *w, const char *hook, const char *link, struct vm_err *err)
{
	char target[PATH_MAX], whole[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "hook %s", hook);
	target[n] = 0;
	if (w->links++ >= LINKS_MAX ||
	    snprintf(whole, sizeof(whole), "%s/%s", target, w->left) >= (int)sizeof(whole))
		return too_long(hook, err);
	memcpy(w->left, whole, sizeof(whole));
	if (target[0] == '/')
		w->at[0] = 0;
	return 0;
}

/* 1 = it is not there. */
static int step(struct walk *w, const char *hook, const char *name, struct stat *st,
		struct vm_err *err)
{
	char path[PATH_MAX];

	if (strcmp(name, ".") == 0 || name[0] == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		char *slash = strrchr(w->at, '/');

		if (slash != NULL)
			*slash = 0;
		return 0;
	}
	if (snprintf(path, sizeof(path), "%s/%s", w->at, name) >= (int)sizeof(path))
		return too_long(hook, err);
	if (lstat(path, st) < 0)
		return errno == ENOENT ? 1 : vm_err_sys_kind(err, VM_SYSTEM, "hook %s", hook);
	if (S_ISLNK(st->st_mode))
		return follow(w, hook, path, err);
	memcpy(w->at, path, sizeof(path));
	return check_owner(hook, path, st, err);
}

/* 1 = it is not there. */
static int walk(const char *path, struct stat *st, struct vm_err *err)
{
	VM_AUTO_FREE struct walk *w = vm_xcalloc(1, sizeof(*w));
	int r = 0;

	if (snprintf(w->left, sizeof(w->left), "%s", path) >= (int)sizeof(w->left))
		return too_long(path, err);
	if (stat("/", st) < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "hook %s", path);
	r = check_owner(path, "/", st, err);
	while (r == 0 && w->left[0] != 0) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(w->left, "/");

		if (len > NAME_MAX)
			return too_long(path, err);
		memcpy(name, w->left, len);
		name[len] = 0;
		len += w->left[len] == '/';
		memmove(w->left, w->left + len, strlen(w->left + len) + 1);
		r = step(w, path, name, st, err);
	}
	return r;
}

int vm_hook_check(const char *path, const char **ret_why, struct vm_err *err)
{
	struct stat st;

	*ret_why = NULL;
	/* most have none, and pay one call for that */
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 1 : vm_err_sys_kind(err, VM_SYSTEM, "hook %s", path);
	switch (walk(path, &st, err)) {
	case 0:
		break;
	case 1:
		if (lstat(path, &st) < 0)
			return 1;
		return vm_err_set(err, VM_DENIED, "hook %s: it is a link to nothing, or was just replaced", path);
	default:
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		*ret_why = S_ISDIR(st.st_mode) ? "is a directory" : "is no program";
	else if ((st.st_mode & 0111) == 0)
		*ret_why = "is not executable";
	return *ret_why != NULL;
}

/* ---- running one ---- */

/* The same whoever runs it: a command, the watcher, or what repairs at boot.  A session's own have
 * their user's. */
static char **make_env(const struct vm_hook_call *c)
{
	/* the first two always */
	static const char *const ours[] = {"VM_ROOT", "VM_SYSROOT", "PATH",	      "HOME",
					   "USER",    "LOGNAME",    "XDG_RUNTIME_DIR"};
	char **env = vm_xcalloc(VM_COUNT(ours) + 4, sizeof(*env));
	size_t n = 0;

	env[n++] =
	    vm_xasprintf("VM_CONNECT=%s:///%s", c->driver, c->session ? "session" : "system");
	env[n++] = vm_xstrdup("LC_ALL=C");
	if (!c->session)
		env[n++] = vm_xstrdup("PATH=" HOOK_PATH);
	for (size_t i = 0; i < (c->session ? VM_COUNT(ours) : 2); i++) {
		const char *text = secure_getenv(ours[i]);

		if (text != NULL)
			env[n++] = vm_xasprintf("%s=%s", ours[i], text);
	}
	return env;
}

static void free_env(char **env)
{
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

/* All of it for who wants to see the steps; the last line, with something on it, is the reason. */
static const char *tell(const char *path, char *said)
{
	char *save = NULL;
	const char *last = "";

	for (char *line = strtok_r(said, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save)) {
		vm_log_step("%s: %s", path, line);
		last = line;
	}
	return last;
}

static int ended(const char *path, const struct vm_hook_call *c, int status, const char *why,
		 struct vm_err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	vm_err_set(err, VM_DENIED, "hook %s refuses '%s' (%s %d)%s%s", path, c->op,
		   WIFSIGNALED(status) ? "signal" : "status",
		   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		   why[0] != 0 ? ": " : "", why);
	return vm_err_hint(err, "hooks are described in vm-hooks(5)");
}

static int not_run(const char *path, const struct vm_hook_call *c, const char *why,
		   struct vm_err *err)
{
	if (err->kind == VM_TIMED_OUT) {
		vm_err_set(err, VM_TIMED_OUT, "hook %s %s: timed out%s%s", path, c->op,
			   why[0] != 0 ? ": " : "", why);
		return vm_err_hint(err, "hook_timeout of vm.conf(5) is how long it may take");
	}
	if (err->sys != ENOENT)
		return vm_err_wrap(err, "hook %s %s", path, c->op);
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		*err = VM_ERR_INIT;
		return 0;
	}
	/* not "there is none": a program that is being replaced may be the one that would refuse */
	return vm_err_set(err, VM_DENIED, "hook %s: it, or what its first line says runs it, was not there", path);
}

int vm_hook_run(const char *path, const struct vm_hook_call *c, struct vm_deadline deadline,
		struct vm_err *err)
{
	const char *const argv[] = {path, c->object, c->op, c->sub, c->extra, NULL};
	VM_AUTO_FREE char *said = NULL;
	char **env;
	const char *why = NULL;
	int r = vm_hook_check(path, &why, err), status = 0;

	if (r != 0) {
		/* once in a guest's life */
		if (why != NULL && strcmp(c->op, "prepare") == 0)
			vm_log_warning("hook %s %s: it is not run", path, why);
		return r < 0 ? -1 : 0;
	}
	vm_log_step("hook %s %s %s %s %s", path, c->object, c->op, c->sub, c->extra);
	env = make_env(c);
	r = vm_run_job(&(struct vm_job){.argv = argv,
					.envp = (const char *const *)env,
					.input = c->input,
					.cap = OUTPUT_MAX,
					.guarded = true},
		       deadline, NULL, &said, &status, err);
	free_env(env);
	why = said != NULL ? tell(path, said) : "";
	return r == 0 ? ended(path, c, status, why, err) : not_run(path, c, why, err);
}

/* ---- all of a guest's ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the programs in a directory, sorted; hidden ones and backups of editors are none.  None
 * is taken for absent that only could not be looked for. */
static int list_names(const char *dir, char ***ret, size_t *ret_n, struct vm_err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char **names = NULL;
	size_t n = 0;
	int r = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : vm_err_sys_kind(err, VM_SYSTEM, "hooks %s", dir);
	while (n <= HOOKS_MAX && (errno = 0, e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || e->d_name[strlen(e->d_name) - 1] == '~')
			continue;
		names = vm_xreallocarray(names, n + 1, sizeof(*names));
		names[n++] = vm_xstrdup(e->d_name);
	}
	if (n > HOOKS_MAX)
		r = vm_err_set(err, VM_BAD_INPUT, "hooks %s: there are more than %u", dir,
			       HOOKS_MAX);
	else if (errno != 0)
		r = vm_err_sys_kind(err, VM_SYSTEM, "hooks %s", dir);
	closedir(d);
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	*ret_n = n;
	return r;
}

int vm_hooks_run(const struct vm_state *s, const char *guest, const char *op, const char *sub,
		 const char *document, struct vm_err *err)
{
	VM_AUTO_FREE char *dir = vm_hooks_dir(s);
	VM_AUTO_FREE char *one = vm_xasprintf("%s/%s", dir, s->driver);
	VM_AUTO_FREE char *many = vm_xasprintf("%s/%s.d", dir, s->driver);
	const struct vm_hook_call c = {.object = guest,
				       .op = op,
				       .sub = sub,
				       .extra = "-",
				       .input = document,
				       .driver = s->driver,
				       .session = s->uri.session};
	int r = vm_hook_run(one, &c, vm_deadline_in(s->conf.hook_timeout_ms), err);
	char **names = NULL;
	size_t n = 0;

	if (r == 0)
		r = list_names(many, &names, &n, err);
	for (size_t i = 0; i < n; i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", many, names[i]);

		if (r == 0)
			r = vm_hook_run(path, &c, vm_deadline_in(s->conf.hook_timeout_ms), err);
		free(names[i]);
	}
	free(names);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/strbuf.h>

#include "host/self.h"
#include "state/internal.h"

#define HELPER	     "vm-index"
#define OUTPUT_MAX   (64u << 20)
#define PER_GUEST    (64u << 10) /* bytes: no title is that long */
#define HELPER_MS    10000
#define THREADS	     4
#define THREADS_FROM 2000 /* guests: fewer are not worth it */

/* ---- names ---- */

void vm_names_add(struct names *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = vm_xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->n++] = vm_xstrdup(name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void vm_names_sort(struct names *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_text);
}

bool vm_names_has(const struct names *l, const char *name)
{
	return l->n && bsearch(&name, l->v, l->n, sizeof(*l->v), by_text);
}

void vm_names_free(struct names *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct names){0};
}

/* ---- the helper ---- */

/* Blocks that begin with "name". What does not fit the form ends it: nothing is guessed. */
static void parse_output(char *text, void (*fn)(const char *, const struct vm_record *, void *),
			 void *arg)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *name = NULL;
	char *line, *save = NULL, *eq, *value;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		eq = strchr(line, '=');
		if (!eq || eq == line ||
		    strspn(line, "abcdefghijklmnopqrstuvwxyz_") != (size_t)(eq - line))
			break;
		*eq = '\0';
		if (vm_record_unescape(eq + 1, strlen(eq + 1), &value) < 0)
			break;
		if (strcmp(line, "name") == 0) {
			if (name)
				fn(name, &r, arg);
			free(name);
			name = value;
			vm_record_free(&r);
			continue;
		}
		vm_record_set(&r, line, value);
		free(value);
	}
	/* the last one counts if all was understood */
	if (name && !line)
		fn(name, &r, arg);
}

int vm_facts_run(const struct vm_state *s, const struct names *names, struct vm_deadline deadline,
		 void (*fn)(const char *name, const struct vm_record *facts, void *arg), void *arg,
		 bool *ret_ran, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf in = VM_STRBUF_INIT;
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *out = NULL;
	VM_AUTO_FREE char *errors = NULL;
	VM_AUTO_FREE char *uri =
	    vm_xasprintf("%s:///%s", s->driver, s->uri.session ? "session" : "system");
	const char *argv[] = {NULL, "--connect", uri, NULL};
	size_t i, cap = names->n * PER_GUEST;
	int status;

	*ret_ran = false;
	if (vm_self_helper(HELPER, &path, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : -1;
	argv[0] = path;
	for (i = 0; i < names->n; i++) {
		vm_strbuf_puts(&in, names->v[i]);
		vm_strbuf_putc(&in, '\n');
	}
	if (vm_run(argv, in.text, cap < OUTPUT_MAX ? cap : OUTPUT_MAX, deadline, &out, &errors,
		   &status, err) < 0)
		return -1;
	*ret_ran = true;
	parse_output(out, fn, arg);
	if (status != 0)
		vm_log_warning("%s ended with status %d: %.200s", HELPER, status, errors);
	return 0;
}

/* ---- entries ---- */

struct fill {
	struct vm_entry *v;
	size_t *stale; /* indexes into v, in the order of the names */
	size_t n, next;
};

static void broken(struct vm_entry *e, const char *why)
{
	if (!e->active)
		e->status = (struct vm_status){.life = VM_BROKEN, .from = "record"};
	if (!e->problem)
		e->problem = vm_xstrdup(why);
}

static void apply(struct vm_entry *e, const struct vm_record *facts)
{
	const char *problem = vm_record_get(facts, "problem");
	const char *uuid = vm_record_get(facts, "uuid");

	if (problem) {
		broken(e, problem);
		return;
	}
	/* a running guest is what its record says */
	if (!e->has_uuid)
		e->has_uuid = uuid && vm_uuid_parse(uuid, e->uuid) == 0;
	if (!e->title && !e->active)
		e->title = vm_xstrdup(vm_record_get(facts, "title"));
}

/* The helper answers in the order it was asked; one it skipped is passed over. */
static void fill_one(const char *name, const struct vm_record *facts, void *arg)
{
	struct fill *f = arg;
	size_t i;

	for (i = f->next; i < f->n; i++) {
		if (strcmp(f->v[f->stale[i]].name, name) != 0)
			continue;
		apply(&f->v[f->stale[i]], facts);
		f->next = i + 1;
		return;
	}
}

static int count_xml(int dirfd, const char *name, void *arg)
{
	uint64_t *n = arg;
	size_t len = strlen(name);

	(void)dirfd;
	if (len > 4 && strcmp(name + len - 4, ".xml") == 0)
		(*n)++;
	return 0;
}

static uint64_t count_in(int lib, const char *sub)
{
	VM_AUTO_FD int dir = openat(lib, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct vm_err err;
	uint64_t n = 0;

	if (dir >= 0)
		(void)vm_dir_each(dir, count_xml, &n, &err);
	return n;
}

static void lib_facts(const struct vm_state *s, struct vm_entry *e)
{
	struct vm_status last;
	VM_AUTO_FD int lib = -1;
	struct vm_err err;
	struct stat st;

	if (s->lib < 0)
		return;
	lib = openat(s->lib, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (lib < 0)
		return;
	e->managed_save = fstatat(lib, VM_LIB_SAVE, &st, AT_SYMLINK_NOFOLLOW) == 0;
	e->snapshots = count_in(lib, VM_LIB_SNAPSHOTS);
	e->checkpoints = count_in(lib, VM_LIB_CHECKPOINTS);
	/* one that is just ending has it from its run directory */
	if (!e->active && e->status.life == VM_SHUTOFF && e->status.reason[0] == '\0' &&
	    vm_status_read_last(lib, &last, &err) == 0) {
		memcpy(e->status.reason, last.reason, sizeof(last.reason));
		e->status.since_ms = last.since_ms;
	}
}

/* 0 = nothing more to do; 1 = its definition must be read. */
static int look(const struct vm_state *s, bool facts, struct vm_entry *e)
{
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	char file[VM_FILE_NAME_MAX];
	struct vm_err err;
	struct stat st;

	vm_definition_name(e->name, file);
	if (fstatat(s->etc, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* undefined meanwhile */
	if (!S_ISREG(st.st_mode)) {
		broken(e, "its definition is not a regular file");
		return 0;
	}
	if (!facts)
		return !vm_index_fresh(s, e->name, &st);
	if (vm_index_read(s, e->name, &index, &err) != 0)
		return 1;
	apply(e, &index);
	return 0;
}

/* ---- many at a time: looking is mostly waiting for the kernel's path walks ---- */

struct share {
	const struct vm_state *s;
	struct vm_entry *v;
	bool *unread; /* of each entry: its definition must be read */
	size_t n;
	bool facts;
};

static void *look_share(void *arg)
{
	struct share *w = arg;
	size_t i;

	for (i = 0; i < w->n; i++) {
		w->unread[i] = w->v[i].defined && look(w->s, w->facts, &w->v[i]) > 0;
		if (w->facts)
			lib_facts(w->s, &w->v[i]);
	}
	return NULL;
}

static void look_all(const struct vm_state *s, bool facts, struct vm_entry *v, bool *unread,
		     size_t n)
{
	struct share shares[THREADS];
	pthread_t threads[THREADS];
	size_t k, at = 0, each = n / THREADS + 1, begun = 0;

	if (n < THREADS_FROM)
		each = n;
	for (k = 0; k < THREADS && at < n; k++, at += each) {
		shares[k] =
		    (struct share){s, v + at, unread + at, n - at < each ? n - at : each, facts};
		/* the last share is ours; one without a thread too */
		if (at + each >= n || pthread_create(&threads[begun], NULL, look_share, &shares[k]))
			look_share(&shares[k]);
		else
			begun++;
	}
	while (begun)
		pthread_join(threads[--begun], NULL);
}

int vm_facts_read(const struct vm_state *s, const struct vm_entries_want *want, struct vm_entry *v,
		  size_t n, struct vm_err *err)
{
	VM_AUTO(vm_names_free) struct names stale = {0};
	struct fill f = {.v = v};
	VM_AUTO_FREE bool *unread = NULL;
	struct vm_err why = VM_ERR_INIT;
	bool ran;
	size_t i;
	int r = 0;

	(void)err;
	/* The plain list of active guests looks at no definition at all. */
	if (!want->inactive && !want->facts && !want->names)
		return 0;
	f.stale = vm_xcalloc(n ? n : 1, sizeof(*f.stale));
	unread = vm_xcalloc(n ? n : 1, sizeof(*unread));
	look_all(s, want->facts, v, unread, n);
	for (i = 0; i < n; i++) {
		if (!unread[i])
			continue;
		f.stale[f.n++] = i;
		vm_names_add(&stale, v[i].name);
	}
	if (f.n)
		r = vm_facts_run(s, &stale,
				 want->deadline.at_ms ? want->deadline : vm_deadline_in(HELPER_MS),
				 fill_one, &f, &ran, &why);
	/* The list is worth having without what stands in those documents. */
	if (r < 0)
		vm_log_warning("%s", why.msg);
	free(f.stale);
	return 0;
}

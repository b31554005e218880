/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/mt.h>

#include "build.h"

static void push(struct vm_argv *a, char *owned)
{
	/* One more, so that the list always ends with NULL. */
	if (a->n + 1 >= a->cap) {
		a->cap = a->cap > 0 ? 2 * a->cap : 64;
		a->v = vm_xreallocarray(a->v, a->cap, sizeof(*a->v));
	}
	a->v[a->n++] = owned;
	a->v[a->n] = NULL;
}

void vm_argv_add(struct vm_argv *a, const char *word)
{
	push(a, vm_xstrdup(word));
}

void vm_argv_addf(struct vm_argv *a, const char *fmt, ...)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vm_strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	push(a, vm_strbuf_take(&b));
}

void vm_argv_opt(struct vm_argv *a, const char *option, const char *value)
{
	vm_argv_add(a, option);
	vm_argv_add(a, value);
}

void vm_argv_env(struct vm_argv *a, const char *name, const char *value)
{
	a->env = vm_xreallocarray(a->env, a->nenv + 2, sizeof(*a->env));
	a->env[a->nenv++] = vm_xasprintf("%s=%s", name, value);
	a->env[a->nenv] = NULL;
}

void vm_argv_free(struct vm_argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	for (size_t i = 0; i < a->nenv; i++)
		free(a->env[i]);
	free(a->env);
	for (size_t i = 0; i < a->nfds; i++) {
		free(a->fds[i].alias);
		free(a->fds[i].path);
	}
	free(a->fds);
	*a = VM_ARGV_INIT;
}

const char *vm_fd_role_word(enum vm_fd_role role)
{
	static const char *const words[VM_FD_ROLES] = {
	    [VM_FD_QMP] = "qmp", [VM_FD_EVENTS] = "events", [VM_FD_SPARE] = "spare",
	    [VM_FD_TAP] = "tap", [VM_FD_VHOST] = "vhost",   [VM_FD_LISTEN] = "listen",
	    [VM_FD_HELPER] = "helper",
	    [VM_FD_FILE] = "file", [VM_FD_VHOST_SCSI] = "vhost-scsi",
	};

	assert(role < VM_FD_ROLES);
	return words[role];
}

int vm_argv_fd(struct vm_argv *a, enum vm_fd_role role, const void *object, unsigned index,
	       const char *alias, const char *path)
{
	a->fds = vm_xreallocarray(a->fds, a->nfds + 1, sizeof(*a->fds));
	a->fds[a->nfds++] = (struct vm_argv_fd){
	    .role = role,
	    .number = a->next_fd,
	    .object = object,
	    .index = index,
	    .alias = vm_xstrdup(alias),
	    .path = vm_xstrdup(path),
	};
	return a->next_fd++;
}

static void kv_escape(struct vm_strbuf *b, const char *value)
{
	for (; *value != '\0'; value++) {
		vm_strbuf_putc(b, *value);
		if (*value == ',')
			vm_strbuf_putc(b, ',');
	}
}

static void kv_next(struct vm_strbuf *b)
{
	if (b->len > 0)
		vm_strbuf_putc(b, ',');
}

void vm_kv_word(struct vm_strbuf *b, const char *word)
{
	kv_next(b);
	kv_escape(b, word);
}

void vm_kv_str(struct vm_strbuf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	kv_next(b);
	vm_strbuf_puts(b, key);
	vm_strbuf_putc(b, '=');
	kv_escape(b, value);
}

void vm_kv_u64(struct vm_strbuf *b, const char *key, uint64_t value)
{
	kv_next(b);
	vm_strbuf_printf(b, "%s=%llu", key, (unsigned long long)value);
}

void vm_kv_on(struct vm_strbuf *b, const char *key, bool on)
{
	vm_kv_str(b, key, on ? "on" : "off");
}

void vm_qobj_free(struct vm_qobj *o)
{
	vm_strbuf_free(&o->text);
	*o = VM_QOBJ_INIT;
}

static void qobj_key(struct vm_qobj *o, const char *key)
{
	if (o->text.len == 0)
		vm_strbuf_putc(&o->text, '{');
	if (!o->first)
		vm_strbuf_putc(&o->text, ',');
	o->first = false;
	if (key != NULL) {
		vm_strbuf_json(&o->text, key);
		vm_strbuf_putc(&o->text, ':');
	}
}

static void qobj_nest(struct vm_qobj *o, const char *key, char bracket)
{
	qobj_key(o, key);
	vm_strbuf_putc(&o->text, bracket);
	o->depth++;
	o->first = true;
}

static void qobj_unnest(struct vm_qobj *o, char bracket)
{
	assert(o->depth > 0);
	vm_strbuf_putc(&o->text, bracket);
	o->depth--;
	o->first = false;
}

void vm_qobj_open(struct vm_qobj *o, const char *key)
{
	qobj_nest(o, key, '{');
}

void vm_qobj_close(struct vm_qobj *o)
{
	qobj_unnest(o, '}');
}

void vm_qobj_array(struct vm_qobj *o, const char *key)
{
	qobj_nest(o, key, '[');
}

void vm_qobj_array_end(struct vm_qobj *o)
{
	qobj_unnest(o, ']');
}

void vm_qobj_str(struct vm_qobj *o, const char *key, const char *value)
{
	if (value == NULL)
		return;
	qobj_key(o, key);
	vm_strbuf_json(&o->text, value);
}

void vm_qobj_strf(struct vm_qobj *o, const char *key, const char *fmt, ...)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vm_strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	vm_qobj_str(o, key, b.text != NULL ? b.text : "");
	vm_strbuf_free(&b);
}

void vm_qobj_u64(struct vm_qobj *o, const char *key, uint64_t value)
{
	qobj_key(o, key);
	vm_strbuf_printf(&o->text, "%llu", (unsigned long long)value);
}

void vm_qobj_i64(struct vm_qobj *o, const char *key, int64_t value)
{
	qobj_key(o, key);
	vm_strbuf_printf(&o->text, "%lld", (long long)value);
}

void vm_qobj_bool(struct vm_qobj *o, const char *key, bool value)
{
	qobj_key(o, key);
	vm_strbuf_puts(&o->text, value ? "true" : "false");
}

void vm_qobj_null(struct vm_qobj *o, const char *key)
{
	qobj_key(o, key);
	vm_strbuf_puts(&o->text, "null");
}

void vm_qobj_emit(struct vm_qobj *o, struct vm_argv *a, const char *option)
{
	assert(o->depth == 0 && o->text.len > 0);
	vm_strbuf_putc(&o->text, '}');
	vm_argv_opt(a, option, o->text.text);
	vm_qobj_free(o);
}

static void prop(struct vm_qobj *o, const struct vm_prop *p, const void *datum)
{
	const char *const *words = p->arg;

	switch ((enum vm_prop_kind)p->kind) {
	case VM_PROP_BOOL:
		vm_qobj_bool(o, p->name, *(const bool *)datum);
		break;
	case VM_PROP_ONOFF:
		vm_qobj_str(o, p->name, *(const bool *)datum ? "on" : "off");
		break;
	case VM_PROP_U64:
		vm_qobj_u64(o, p->name, *(const uint64_t *)datum);
		break;
	case VM_PROP_STR:
		vm_qobj_str(o, p->name, *(const char *const *)datum);
		break;
	case VM_PROP_ENUM:
		if (*(const int *)datum > 0)
			vm_qobj_str(o, p->name, words[*(const int *)datum]);
		break;
	case VM_PROP_ENUM_ONOFF:
		if (*(const int *)datum > 0)
			vm_qobj_bool(o, p->name, strcmp(words[*(const int *)datum], "on") == 0);
		break;
	}
}

void vm_qobj_props(struct vm_qobj *o, const struct vm_prop *props, size_t n, const void *obj)
{
	for (size_t i = 0; i < n; i++)
		if (props[i].set == VM_PROP_ALWAYS || mt_is_set(obj, props[i].set))
			prop(o, &props[i], (const char *)obj + props[i].off);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* live.xml: the definition, with what came to be at this start spliced in. */
#include "start_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "model/domain.h"

#define PTY_PREFIX "pty:"

/* The terminal of a character device, as QEMU names it ("pty:/path"); NULL = none. Borrowed. */
static const char *pty_of(const json_t *chardevs, const char *alias)
{
	VM_AUTO_FREE char *label = vm_xasprintf("char%s", alias);
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)chardevs, i, one)
	{
		const char *l = json_string_value(json_object_get(one, "label"));
		const char *file = json_string_value(json_object_get(one, "filename"));

		if (l != NULL && file != NULL && strcmp(l, label) == 0 &&
		    strncmp(file, PTY_PREFIX, strlen(PTY_PREFIX)) == 0)
			return file + strlen(PTY_PREFIX);
	}
	return NULL;
}

static void set_pty(struct vm_char *c, const json_t *chardevs, bool console)
{
	const char *path = c->dev.alias != NULL ? pty_of(chardevs, c->dev.alias) : NULL;

	if (c->type != VM_CHARDEV_PTY || path == NULL)
		return;
	if (c->backend == NULL) {
		c->backend = mt_new(vm_chardev_by_type[VM_CHARDEV_PTY]);
		mt_assigned(&c->dev.obj, VM_CHAR_BIT_BACKEND);
	}
	free(c->backend->path);
	c->backend->path = vm_xstrdup(path);
	mt_assigned(&c->backend->obj, VM_CHARDEV_BIT_PATH);
	if (console) {
		free(c->tty);
		c->tty = vm_xstrdup(path);
		mt_assigned(&c->dev.obj, VM_CHAR_BIT_TTY);
	}
}

static int set_alias(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	(void)family;
	(void)arg;
	/* Chosen when the command line was planned. */
	if (dev->alias != NULL && !mt_is_set(&dev->obj, VM_DEVICE_ALIAS))
		mt_assigned(&dev->obj, VM_DEVICE_ALIAS);
	return 0;
}

/* Writes live.xml from s->doc and what is assigned in s->d; without anything secret. */
static int write_live(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *live = NULL;
	struct vm_xml_edit *edit = vm_xml_edit_new(s->doc);
	const char *text;
	size_t len;
	int r;

	mt_splice(&vm_domain_type, s->d, s->doc, edit);
	mt_redact(&vm_domain_type, s->d, s->doc, edit);
	r = vm_xml_edit_apply(edit, &live, err);
	vm_xml_edit_free(edit);
	if (r < 0)
		return vm_err_wrap(err, "describe the running guest");
	text = vm_xml_text(live, &len);
	return vm_file_write_volatile(s->g->run, VM_RUN_LIVE_XML, text, len, 0640, err);
}

int vm_start_early_xml(struct vm_start *s, struct vm_err *err)
{
	return write_live(s, err);
}

int vm_start_live_xml(struct vm_start *s, const json_t *chardevs, struct vm_err *err)
{
	const struct mt_list *lists[] = { &s->d->serials, &s->d->parallels, &s->d->consoles,
					  &s->d->channels };

	s->d->id = (uint64_t)s->launched.qemu.pid;
	mt_assigned(&s->d->obj, VM_DOMAIN_BIT_ID);
	vm_domain_each_device(s->d, set_alias, NULL);
	for (size_t l = 0; l < VM_COUNT(lists); l++)
		for (uint32_t i = 0; i < lists[l]->n; i++)
			set_pty(lists[l]->v[i], chardevs, lists[l] == &s->d->consoles);
	return write_live(s, err);
}

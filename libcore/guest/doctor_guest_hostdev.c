/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doctor.h"

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/look.h>
#include <vm/xml.h>

#include "driver.h"
#include "hostdev_foreign.h"
#include "model/domain.h"

static void say_foreign(struct vm_doctor *d, const struct vm_guest *g,
			const struct vm_foreign_one *f)
{
	VM_AUTO_FREE char *remedy =
	    f->node
		? vm_xasprintf("vm-qmp '%s' 'blockdev-del {\"node-name\":\"%s\"}' takes it back",
			       g->name, f->alias)
		: vm_xasprintf("vm-detach-hostdev '%s' '%s' takes it back", g->name, f->alias);

	vm_doctor_say(d, VM_HEALTH_WARN, remedy,
		      "it has the host device %s (%s%s%s), which is not in its document: nothing "
		      "was checked for it, and nothing is "
		      "given back",
		      f->name, f->type, f->device != NULL ? " " : "",
		      f->device != NULL ? f->alias : "");
}

static void say_lost(struct vm_doctor *d, const struct vm_guest *g, const struct vm_hostdev *h)
{
	VM_AUTO_FREE char *remedy =
	    vm_xasprintf("vm-repair '%s' gives back what it needed", g->name);
	VM_AUTO_FREE char *name = vm_hostdev_source_text(h);

	vm_doctor_say(d, VM_HEALTH_WARN, remedy,
		      "%s (%s) is in its document, but it does not have it any more", name,
		      h->dev.alias != NULL ? h->dev.alias : "-");
}

void vm_doctor_guest_hostdevs(struct vm_doctor *d, struct vm_guest *g)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *domain = NULL;
	VM_AUTO(vm_look_free) struct vm_look look = VM_LOOK_INIT;
	VM_AUTO(vm_foreign_free) struct vm_foreign foreign = VM_FOREIGN_NONE;
	const struct vm_observer *observer;
	struct vm_hostdev_iter i = {0};
	struct vm_err err = VM_ERR_INIT;
	const struct vm_hostdev *h;

	if (vm_xml_load_at(g->run, VM_RUN_LIVE_XML, &doc, &err) < 0 ||
	    vm_domain_parse(doc, true, &domain, &err) < 0 ||
	    vm_observer_find(d->state->driver, &observer, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	if (observer->look == NULL)
		return;
	if (observer->look(g, VM_LOOK_HOSTDEVS, d->deadline, &look, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	vm_foreign_read(domain, &look, &foreign);
	for (size_t n = 0; n < foreign.n; n++)
		say_foreign(d, g, &foreign.v[n]);
	while ((h = vm_hostdev_next(domain, &i)) != NULL)
		if (vm_look_lost(&look, h, i.disk))
			say_lost(d, g, h);
}

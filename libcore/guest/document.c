/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "document.h"

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>
#include <vm/xml.h>

static int load_live(const struct vm_state *s, const struct vm_guest *g, struct vm_xml **ret,
		     struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL, *file = NULL;
	size_t len;

	if (g->run < 0)
		return vm_err_set(err, VM_NOT_FOUND, "%s: no live document", g->name);
	if (vm_file_read(g->run, VM_RUN_LIVE_XML, VM_XML_MAX_BYTES, &text, &len, NULL, err) < 0)
		return -1;
	file = vm_xasprintf("%s/%s/" VM_RUN_LIVE_XML, s->run_path, g->name);
	return vm_xml_parse(text, len, file, ret, err);
}

static int load_definition(const struct vm_state *s, const struct vm_guest *g, struct vm_xml **ret,
			   struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL, *file = NULL;
	size_t len;

	if (!g->defined)
		return vm_err_set(err, VM_NOT_FOUND, "%s: it has no definition", g->name);
	if (vm_definition_read(s, g->name, &text, &len, err) < 0)
		return -1;
	file = vm_xasprintf("%s/%s.xml", s->etc_path, g->name);
	return vm_xml_parse(text, len, file, ret, err);
}

int vm_document_load(const struct vm_state *s, const char *ref, enum vm_document which,
		     struct vm_deadline deadline, char **ret_name, bool *ret_live,
		     struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	bool live = which == VM_DOCUMENT_LIVE;
	int rc;

	if (vm_guest_open(s, ref, live ? VM_GUEST_ACTIVE : 0, deadline, &g, err) < 0)
		return -1;
	if (which == VM_DOCUMENT_CURRENT)
		live = g.active;
	rc = live ? load_live(s, &g, ret, err) : load_definition(s, &g, ret, err);
	/* It may be on its way up or down: then the definition is what there is. */
	if (rc < 0 && live && which == VM_DOCUMENT_CURRENT && err->kind == VM_NOT_FOUND &&
	    g.defined) {
		live = false;
		rc = load_definition(s, &g, ret, err);
	}
	if (rc < 0)
		return -1;
	if (ret_name != NULL)
		*ret_name = vm_xstrdup(g.name);
	if (ret_live != NULL)
		*ret_live = live;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The documents of a guest: its definition, and what is running. */
#include <stdbool.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_state;
struct vm_xml;

enum vm_document {
	VM_DOCUMENT_CURRENT, /* live.xml of an active guest, else the definition */
	VM_DOCUMENT_DEFINITION,
	VM_DOCUMENT_LIVE, /* VM_NOT_RUNNING if it is not */
};
/* ref: name, UUID or id.  Errors of the document name its file.  *ret_name (owned) and *ret_live may be NULL.
 * Takes no lock. */
int vm_document_load(const struct vm_state *s, const char *ref, enum vm_document which,
		     struct vm_deadline deadline, char **ret_name, bool *ret_live,
		     struct vm_xml **ret, struct vm_err *err);

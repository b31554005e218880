/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* <seclabel>: as whom QEMU runs, and under which label of a security module. */
#include <vm/mt.h>

struct vm_domain;

enum vm_seclabel_type {
	VM_SECLABEL_TYPE_ABSENT, /* dynamic */
	VM_SECLABEL_DYNAMIC,	 /* chosen for each guest */
	VM_SECLABEL_STATIC,	 /* the document's */
	VM_SECLABEL_NONE,
};
enum vm_seclabel_model {
	VM_SECLABEL_MODEL_ABSENT, /* the host's */
	VM_SECLABEL_DAC,
	VM_SECLABEL_APPARMOR,
	VM_SECLABEL_SELINUX,
	VM_SECLABEL_MODEL_NONE,
};
struct vm_seclabel {
	struct mt_obj obj;
	int type, model; /* enum vm_seclabel_type, vm_seclabel_model */
	int relabel;	 /* yes/no: are the guest's files made its own; absent: unless static */
	char *label;	 /* of a dynamic one: what a run once had, and no wish */
	char *base_label, *image_label;
};
enum vm_seclabel_bit {
	VM_SECLABEL_BIT_TYPE,
	VM_SECLABEL_BIT_MODEL,
	VM_SECLABEL_BIT_RELABEL,
	VM_SECLABEL_BIT_LABEL,
	VM_SECLABEL_BIT_BASE_LABEL,
	VM_SECLABEL_BIT_IMAGE_LABEL,
};
extern const struct mt_type vm_seclabel_type;
extern const char *const vm_seclabel_type_words[], *const vm_seclabel_model_words[];

/* The one of that model, or NULL. */
const struct vm_seclabel *vm_domain_seclabel(const struct vm_domain *d,
					     enum vm_seclabel_model model);
/* Are the guest's files to be made its own? s may be NULL. */
bool vm_seclabel_relabels(const struct vm_seclabel *s);
/* Rules across: each model once. */
int vm_domain_check_seclabels(const struct vm_domain *d, const struct mt_ctx *ctx,
			      struct vm_err *err);

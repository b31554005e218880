// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seclabel.h"

#include <string.h>

#include "domain.h"
#include "rows.h"

const char *const vm_seclabel_type_words[] = {"", "dynamic", "static", "none", NULL};
const char *const vm_seclabel_model_words[] = {"", "dac", "apparmor", "selinux", "none", NULL};

#define S(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_seclabel, xml, member, VM_SECLABEL_BIT_##bit, kind, __VA_ARGS__)
static const struct mt_row seclabel_rows[] = {
    S("@type", type, TYPE, MT_ENUM, .arg = vm_seclabel_type_words),
    S("@model", model, MODEL, MT_ENUM, .flags = MT_KEY, .arg = vm_seclabel_model_words),
    S("@relabel", relabel, RELABEL, MT_ENUM, .arg = vm_yes_no_words),
    S("label/#text", label, LABEL, MT_STR),
    S("baselabel/#text", base_label, BASE_LABEL, MT_STR),
    S("imagelabel/#text", image_label, IMAGE_LABEL, MT_STR, .flags = MT_LIVE_ONLY),
};

/* "[+]USER:[+]GROUP" */
static bool is_dac(const char *label)
{
	const char *colon = strchr(label, ':');

	return colon && colon != label && colon[1] && !strchr(colon + 1, ':') &&
	       vm_text_only(label, "+:_.-");
}

static int check_dac(const struct vm_seclabel *s, const struct mt_ctx *ctx, struct vm_err *err)
{
	if (s->base_label)
		return mt_error(ctx, s, "baselabel/#text", VM_BAD_INPUT, err,
				"model 'dac' knows no <baselabel>");
	if (s->type == VM_SECLABEL_STATIC && !is_dac(s->label))
		return mt_error(ctx, s, "label/#text", VM_BAD_INPUT, err,
				"'%s' is no USER:GROUP; numbers are written +107:+107", s->label);
	return 0;
}

/* Labels are not made up for guests, nor written to files: an administrator's are entered. */
static int check_module(const struct vm_seclabel *s, const struct mt_ctx *ctx, struct vm_err *err)
{
	const char *model = vm_seclabel_model_words[s->model];

	if (s->type == VM_SECLABEL_NONE)
		return 0;
	if (s->type != VM_SECLABEL_STATIC)
		return mt_error(ctx, s, "@type", VM_UNSUPPORTED, err,
				"a dynamic label of model '%s' is not supported: use type 'static' with "
				"a <label> of the host's policy, or 'none'",
				model);
	if (s->relabel == VM_SWITCH_ON)
		return mt_error(ctx, s, "@relabel", VM_UNSUPPORTED, err,
				"relabel='yes' is not supported for model '%s'", model);
	return 0;
}

static int check_seclabel(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_seclabel *s = obj;

	if (s->type == VM_SECLABEL_STATIC && !s->label)
		return mt_error(ctx, s, NULL, VM_BAD_INPUT, err,
				"type 'static' needs a <label>");
	switch ((enum vm_seclabel_model)s->model) {
	case VM_SECLABEL_DAC:
		return check_dac(s, ctx, err);
	case VM_SECLABEL_APPARMOR:
	case VM_SECLABEL_SELINUX:
		return check_module(s, ctx, err);
	case VM_SECLABEL_MODEL_ABSENT:
	case VM_SECLABEL_MODEL_NONE:
		break;
	}
	if (s->type == VM_SECLABEL_NONE)
		return 0;
	return mt_error(ctx, s, NULL, VM_BAD_INPUT, err,
			"which security model is meant: model='dac', 'apparmor' or 'selinux'?");
}
const struct mt_type vm_seclabel_type = {
    .elem = "seclabel",
    .size = sizeof(struct vm_seclabel),
    .rows = seclabel_rows,
    .n = VM_COUNT(seclabel_rows),
    .check = check_seclabel,
};

const struct vm_seclabel *vm_domain_seclabel(const struct vm_domain *d,
					     enum vm_seclabel_model model)
{
	for (uint32_t i = 0; i < d->seclabels.n; i++) {
		const struct vm_seclabel *s = d->seclabels.v[i];

		if (s->model == (int)model)
			return s;
	}
	return NULL;
}

bool vm_seclabel_relabels(const struct vm_seclabel *s)
{
	if (!s)
		return true;
	if (s->type == VM_SECLABEL_NONE)
		return false;
	return s->relabel == VM_SWITCH_ABSENT ? s->type != VM_SECLABEL_STATIC
					      : s->relabel == VM_SWITCH_ON;
}

int vm_domain_check_seclabels(const struct vm_domain *d, const struct mt_ctx *ctx,
			      struct vm_err *err)
{
	for (uint32_t i = 1; i < d->seclabels.n; i++) {
		const struct vm_seclabel *s = d->seclabels.v[i];

		if (vm_domain_seclabel(d, (enum vm_seclabel_model)s->model) != s)
			return mt_error(ctx, s, "@model", VM_BAD_INPUT, err,
					"there are two <seclabel> of one model");
	}
	return 0;
}

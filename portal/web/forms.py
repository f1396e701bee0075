"""How forms look: label, hint, error and their wiring, once for every form of the portal.

`FORM_RENDERER` names `PortalRenderer`, so `{{ form.field.as_field_group }}` is all that a
page writes.  A form class stays plain Django; it may give a choice field `choice_hints`,
a sentence per value that is shown under the option, and any field `one_of_several`, which says
that another field can be answered in its place, so it is not marked as optional.
"""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField, BoundWidget
from django.forms.renderers import TemplatesSetting
from django.forms.widgets import Widget

_SHAPES: tuple[tuple[type[Widget], str, str], ...] = (
    # widget                      shape      class
    (forms.HiddenInput,           "hidden",  ""),
    (forms.RadioSelect,           "options", ""),
    (forms.CheckboxSelectMultiple, "options", ""),
    (forms.CheckboxInput,         "tick",    ""),
    (forms.FileInput,             "line",    "input input--file"),
    (Widget,                      "line",    "input"),
)  # fmt: skip


def _shape_of(widget: Widget) -> tuple[str, str]:
    return next((shape, css) for kind, shape, css in _SHAPES if isinstance(widget, kind))


class PortalBoundField(BoundField):
    """A field that knows how it is drawn and where a link to it must lead."""

    @property
    def shape(self) -> str:
        """`line` (one control under its label), `tick` (one box before it), `options` (a group) or `hidden`."""
        return _shape_of(self.field.widget)[0]

    @property
    def anchor(self) -> str:
        """The id of the control that an error message points to; the first one of a group."""
        return self.id_for_label or f"{self.auto_id}_0"

    @property
    def is_optional(self) -> bool:
        """Whether the label says that the question may stay unanswered."""
        return not self.field.required and not getattr(self.field, "one_of_several", False)

    @property
    def options(self) -> Iterator[tuple[BoundWidget, str]]:
        """Each option with the sentence that explains it, empty where it has none."""
        hints = getattr(self.field, "choice_hints", {})
        for option in self.subwidgets:
            yield option, hints.get(str(option.data["value"]), "")

    def build_widget_attrs(self, attrs: dict[str, Any], widget: Widget | None = None) -> dict[str, Any]:
        widget = widget or self.field.widget
        wired = super().build_widget_attrs(attrs, widget)
        classes = f"{_shape_of(widget)[1]} {widget.attrs.get('class', '')}".strip()
        return {**wired, "class": classes} if classes else wired


class PortalRenderer(TemplatesSetting):
    """Draws forms with the templates of `templates/components/`."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
    bound_field_class = PortalBoundField

"""`field__begins=text`: PostgreSQL's `^@`.

`LIKE` is not leakproof, so under row-level security it never reaches an index and
scans the tenant; `^@` on `COLLATE "C"` text does.
"""

from typing import Any

from django.db.models import CharField, Lookup


@CharField.register_lookup
class Begins(Lookup):
    lookup_name = "begins"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", (*left_params, *right_params)

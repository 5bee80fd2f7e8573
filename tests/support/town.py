"""A registry for the plants of the tests: who runs it, who answers for it, what helps, what is near."""

from __future__ import annotations

from typing import Any

from gateway.commands import By
from gateway.registry.kinds import KINDS
from gateway.registry.store import Draft, Registry

__all__ = ["METHANOL", "register_town", "write"]

METHANOL = {
    "id": "67-56-1", "name_zh": "甲醇", "name_en": "methanol", "un": ["1230"], "hazard_class": "3",
    "hazards": ["H225", "H331"], "signal": "danger", "isolation_m": 50, "protect_day_m": 300, "protect_night_m": 500,
    "isolation_source": "ERG 2020, guide 131", "disposal": "切断火源，泡沫覆盖",
    "disposal_en": "No sparks; cover with foam",
    "first_aid": "移至新鲜空气处", "protection": "自给式呼吸器", "extinguishing": "抗溶性泡沫",
}  # fmt: skip

_RECORDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("district", {"id": "370304", "name_zh": "博山区", "level": "district"}),
    ("district", {"id": "370305", "name_zh": "临淄区", "level": "district"}),
    (
        "enterprise",
        {"id": "acme", "name_zh": "测试化工有限公司", "name_en": "Test Chemicals", "district": "370304",
         "phone": "0533-1", "representative": "赵一"},
    ),
    ("enterprise", {"id": "bravo", "name_zh": "布拉沃氯业", "district": "370305", "phone": "0533-9"}),
    ("site", {"id": "mini", "name_zh": "测试厂", "enterprise": "acme", "latitude_deg": 36.85, "longitude_deg": 118.05}),
    (
        "hazard-unit",
        {"id": "meoh", "name_zh": "甲醇罐区", "name_en": "Methanol tank farm", "enterprise": "acme", "site": "mini",
         "district": "370304", "exposed_people": 60, "cas": "67-56-1"},
    ),
    (
        "hazard-unit",
        {"id": "cl2", "name_zh": "液氯储存区", "enterprise": "bravo", "district": "370305", "cas": "7782-50-5",
         "latitude_deg": 36.86, "longitude_deg": 118.06},
    ),
    (
        "vessel",
        {"id": "T-1", "name_zh": "1号罐", "name_en": "Tank 1", "enterprise": "acme", "district": "370304",
         "hazard_unit": "meoh", "shape": "vertical_tank", "capacity_m3": 100, "height_m": 10, "design_max_t": 70,
         "cas": "67-56-1", "density_kg_m3": 791},
    ),
    ("tag", {"id": "T-1.LEVEL", "name_zh": "1号罐液位", "enterprise": "acme", "hazard_unit": "meoh", "vessel": "T-1",
             "calibration_due": "2027-05-01"}),
    ("chemical", METHANOL),
    ("post", {"id": "acme.ops", "name_zh": "罐区操作", "enterprise": "acme"}),
    (
        "person",
        {"id": "acme.zhang", "name_zh": "张三", "name_en": "Zhang San", "enterprise": "acme", "phone": "13800000001",
         "account": "zhang", "post": "acme.ops"},
    ),
    ("person", {"id": "bravo.qian", "name_zh": "钱七", "enterprise": "bravo", "phone": "13900000009"}),
    (
        "responsibility",
        {"id": "acme.r1", "enterprise": "acme", "hazard_unit": "meoh", "role": "principal", "person": "acme.zhang",
         "duty": "每周检查", "every_days": 7, "done_on": "2027-01-01"},
    ),
    (
        "responsibility",
        {"id": "bravo.r1", "enterprise": "bravo", "hazard_unit": "cl2", "role": "principal", "person": "bravo.qian"},
    ),
    (
        "document",
        {"id": "acme.plan", "name_zh": "甲醇罐区应急预案", "enterprise": "acme", "about_kind": "hazard-unit",
         "about": "meoh", "sort": "plan", "valid_until": "2026-01-01", "text": "第一步：报警"},
    ),
    (
        "resource",
        {"id": "fire-1", "name_zh": "博山消防站", "name_en": "Fire station", "sort": "team", "latitude_deg": 36.86,
         "longitude_deg": 118.05, "phone": "119"},
    ),
    (
        "resource",
        {"id": "foam-2", "name_zh": "泡沫库", "sort": "material", "amount": 20, "unit": "t", "latitude_deg": 36.9,
         "longitude_deg": 118.1},
    ),
    (
        "resource",
        {"id": "bravo.team", "name_zh": "布拉沃专职队", "enterprise": "bravo", "sort": "team", "latitude_deg": 36.851,
         "longitude_deg": 118.051, "phone": "0533-99"},
    ),
    (
        "resource",
        {"id": "far", "name_zh": "远方", "sort": "team", "latitude_deg": 39.9, "longitude_deg": 116.4},
    ),
    (
        "neighbour",
        {"id": "acme.school", "name_zh": "镇小学", "name_en": "Town school", "enterprise": "acme", "site": "mini",
         "sort": "school", "people": 600, "latitude_deg": 36.84, "longitude_deg": 118.05, "phone": "0533-5"},
    ),
)  # fmt: skip


def register_town(registry: Registry) -> None:
    """Write it."""
    write(registry, *_RECORDS)


def write(registry: Registry, *records: tuple[str, dict[str, Any]]) -> None:
    """Write records as an import does: checked by their model."""
    drafts = [Draft(kind, KINDS[kind].model.model_validate(body).model_dump(mode="json")) for kind, body in records]
    registry.write(drafts, By("test"), "test")

from __future__ import annotations

import pytest
import yaml

from config.chemicals import CATALOGUE_FILE, default_gas_limits, is_cas, load_catalogue, load_chemicals
from config.plant.model import Condition
from config.units import LelTable, Quantity, ReferenceAir

CHEMICALS = load_chemicals()

# CAS -> L1 ppm at 20 degC, as printed in three digits; L2 is twice that.
L1_PPM = {
    "7664-41-7": 28.2, "7782-50-5": 0.339, "7783-06-4": 7.05, "74-90-8": 0.889, "7664-39-3": 2.4, "7647-01-0": 4.95,
    "75-44-5": 0.122, "7446-09-5": 1.88, "10102-44-0": 2.61, "630-08-0": 17.2, "7803-51-2": 0.212, "624-83-9": 0.0211,
    "74-83-9": 0.506, "75-21-8": 1.09, "7784-42-1": 0.00925, "7782-41-4": 1.27, "50-00-0": 0.4, "107-02-8": 0.129,
    "7726-95-6": 0.0903, "107-13-1": 0.453, "75-15-0": 1.58, "71-43-2": 0.923, "108-88-3": 13, "100-42-5": 11.5,
    "67-56-1": 18.8, "67-64-1": 124, "60-29-7": 97.3, "75-56-9": 2.07, "110-82-7": 71.4, "110-54-3": 27.9,
    "141-78-6": 54.6, "106-89-8": 0.26, "75-01-4": 3.85, "106-99-0": 2.22, "74-89-5": 3.87,
}  # fmt: skip

# CAS -> IDLH mg/m3 at 25 degC, as NIOSH prints it: holds molar mass and ppm against each other.
IDLH_MG_M3 = {
    "7664-41-7": 209, "7782-50-5": 29, "7783-06-4": 139, "74-90-8": 55.3, "7664-39-3": 24.6, "7647-01-0": 74.6,
    "75-44-5": 8.09, "7446-09-5": 262, "10102-44-0": 24.5, "630-08-0": 1370, "7803-51-2": 69.5, "624-83-9": 7,
    "74-83-9": 971, "75-21-8": 1440, "7784-42-1": 9.56, "7782-41-4": 38.9, "50-00-0": 24.6, "107-02-8": 4.59,
    "7726-95-6": 19.6, "107-13-1": 184, "75-15-0": 1560, "71-43-2": 1600, "108-88-3": 1880, "100-42-5": 2980,
    "67-56-1": 7860, "64-17-5": 6220, "67-64-1": 5940, "60-29-7": 5760, "75-56-9": 950, "110-82-7": 4470,
    "110-54-3": 3880, "141-78-6": 7210, "106-89-8": 284, "74-98-6": 3790, "106-99-0": 4420, "74-89-5": 127,
}  # fmt: skip


def test_every_cas_number_has_its_check_digit() -> None:
    listed = {cas for row in load_catalogue().table1 for cas in row.cas}
    assert all(is_cas(cas) for cas in [*CHEMICALS, *listed])


@pytest.mark.parametrize("text", ["7782-50-4", "7782-5-50", "7782505", "", "chlorine", "7782-50-5 "])
def test_what_is_no_cas_number(text: str) -> None:
    assert not is_cas(text)


def test_no_substance_is_listed_twice() -> None:
    raw = yaml.safe_load(CATALOGUE_FILE.read_text(encoding="utf-8"))
    numbers = [row["cas"] for row in raw["substances"]]
    assert len(numbers) == len(set(numbers)) == len(CHEMICALS)


def test_table_1_of_gb_18218_is_whole() -> None:
    table = load_catalogue().table1
    assert [row.row for row in table] == list(range(1, 86))
    assert all(cas in CHEMICALS for row in table for cas in row.cas)
    assert {row.row for row in table if not row.cas} == {45, 74}, "mixtures and families without a number"


@pytest.mark.parametrize(
    ("cas", "quantity_t"),
    [("7782-50-5", 5), ("68476-85-7", 50), ("74-98-6", 50), ("67-56-1", 500), ("75-44-5", 0.3), ("630-08-0", 20)],
)
def test_critical_quantities(cas: str, quantity_t: float) -> None:
    assert CHEMICALS[cas].critical_quantity_t == quantity_t


def test_several_forms_of_one_substance_keep_all_rows_and_the_lowest_quantity_counts() -> None:
    nitrate = CHEMICALS["6484-52-2"]
    assert [row.row for row in nitrate.critical] == [43, 44]
    assert nitrate.critical_quantity_t == 5


def test_a_quantity_of_table_2_says_so() -> None:
    (row,) = CHEMICALS["115-07-1"].critical
    assert (row.row, row.quantity_t) == (0, 10)


def test_beta_says_whether_it_is_printed_or_inferred() -> None:
    chlorine, methanol = CHEMICALS["7782-50-5"].beta, CHEMICALS["67-56-1"].beta
    assert chlorine is not None
    assert methanol is not None
    assert (chlorine.value, chlorine.basis) == (4, "table 3")
    assert methanol.basis.startswith("inferred")


@pytest.mark.parametrize(("cas", "l1_ppm"), L1_PPM.items())
def test_toxic_limits_are_one_and_two_oel(cas: str, l1_ppm: float) -> None:
    high, high_high = default_gas_limits(CHEMICALS[cas], Quantity.TOXIC_GAS)
    assert (high.condition, high_high.condition) == (Condition.H, Condition.HH)
    assert high.limit == pytest.approx(l1_ppm, rel=4e-3), "three digits are printed"
    assert high_high.limit == pytest.approx(2 * high.limit)


def test_the_worked_limits_of_chlorine_and_hydrogen_sulfide() -> None:
    limits = {cas: default_gas_limits(CHEMICALS[cas], Quantity.TOXIC_GAS) for cas in ("7782-50-5", "7783-06-4")}
    assert [f"{limit.limit:.3g}" for limit in limits["7782-50-5"]] == ["0.339", "0.678"]
    assert [f"{limit.limit:.3g}" for limit in limits["7783-06-4"]] == ["7.05", "14.1"]
    assert limits["7782-50-5"][0].basis == ("GB/T 50493-2019: 100 % OEL (GBZ 2.1-2019 MAC 1 mg/m3, 24.04 L/mol)")


def test_the_oel_of_benzene_is_the_amended_one() -> None:
    (high, _) = default_gas_limits(CHEMICALS["71-43-2"], Quantity.TOXIC_GAS)
    assert "Amendment 1 PC-TWA 3 mg/m3" in high.basis


def test_every_substance_with_an_oel_and_a_molar_mass_is_in_the_printed_table() -> None:
    with_limits = {cas for cas, chemical in CHEMICALS.items() if default_gas_limits(chemical, Quantity.TOXIC_GAS)}
    assert with_limits == set(L1_PPM)


def test_warmer_reference_air_raises_the_limit_in_ppm() -> None:
    (cool, _), (warm, _) = (default_gas_limits(CHEMICALS["7782-50-5"], Quantity.TOXIC_GAS, air) for air in ReferenceAir)
    assert warm.limit / cool.limit == pytest.approx(24.45 / 24.04)


def test_combustible_limits_are_a_quarter_and_half_of_the_lel() -> None:
    limits = default_gas_limits(CHEMICALS["74-98-6"], Quantity.COMBUSTIBLE_GAS)
    assert [(limit.condition, limit.limit, limit.basis) for limit in limits] == [
        (Condition.H, 25, "GB/T 50493-2019: 25 %LEL"),
        (Condition.HH, 50, "GB/T 50493-2019: 50 %LEL"),
    ]


@pytest.mark.parametrize(
    ("cas", "quantity"),
    [
        ("7782-50-5", Quantity.COMBUSTIBLE_GAS),  # does not burn
        ("64-17-5", Quantity.TOXIC_GAS),  # has no OEL
        ("68476-85-7", Quantity.TOXIC_GAS),  # a mixture without molar mass
        ("7782-50-5", Quantity.LEVEL),
    ],
)
def test_no_limit_is_made_up(cas: str, quantity: Quantity) -> None:
    assert default_gas_limits(CHEMICALS[cas], quantity) == ()


@pytest.mark.parametrize(("cas", "mg_m3"), IDLH_MG_M3.items())
def test_idlh_and_molar_mass_agree_with_the_printed_mass_concentration(cas: str, mg_m3: float) -> None:
    chemical = CHEMICALS[cas]
    assert chemical.idlh is not None
    assert chemical.molar_mass_g_mol is not None
    assert chemical.idlh.ppm * chemical.molar_mass_g_mol / 24.45 == pytest.approx(mg_m3, rel=0.006)


def test_idlh_is_the_revised_set_not_the_one_printed_in_gb_t_50493() -> None:
    for cas, ppm in (("7664-41-7", 300), ("7782-50-5", 10), ("71-43-2", 500)):
        idlh = CHEMICALS[cas].idlh
        assert idlh is not None
        assert (idlh.ppm, idlh.basis) == (ppm, "NIOSH-1994")


def test_flammable_limits_differ_by_table_and_are_ordered() -> None:
    methane = CHEMICALS["74-82-8"]
    assert methane.flammable[LelTable.NFPA].lower == 5
    assert methane.flammable[LelTable.IEC].lower == 4.4
    for chemical in CHEMICALS.values():
        assert all(0 < limits.lower < limits.upper <= 100 for limits in chemical.flammable.values()), chemical.cas


def test_a_table_without_the_substance_leaves_its_lel_unknown() -> None:
    assert CHEMICALS["106-89-8"].substance(LelTable.NFPA).lel_vol_percent is None
    assert CHEMICALS["106-89-8"].substance(LelTable.IEC).lel_vol_percent is not None


def test_every_kind_of_figure_names_its_source_and_confidence() -> None:
    sources = load_catalogue().sources
    assert set(sources) == {
        "cas", "un", "quantity_t", "beta", "flammable_vol_percent", "oel_mg_m3", "idlh", "molar_mass_g_mol",
    }  # fmt: skip
    assert all(source.origin and source.confidence for source in sources.values())

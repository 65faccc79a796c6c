"""What the research agent reads: sources and sentences."""

from __future__ import annotations

QUESTIONS = (
    "Which heat pump kettles save energy?",
    "Are compostable mailers worth it?",
    "How do rivals price express shipping?",
    "What drives returns of table lamps?",
    "Can we drop the second stocktake?",
    "Which markets want refurbished kettles?",
    "Is same day delivery profitable in Lyon?",
    "What do customers ask support most?",
    "Which suppliers deliver late?",
    "How accurate are the gate scanners?",
)
SOURCES = (
    "energy.example/kettles-2026",
    "logistics.example/last-mile",
    "retail.example/returns-survey",
    "standards.example/en-60335",
    "standards.example/paywalled",
    "packaging.example/compost",
    "energy.example/standby",
    "logistics.example/lockers",
    "retail.example/refurbished",
    "standards.example/ce-marking",
    "packaging.example/mailers",
    "forum.example/t/51877",
    "forum.example/t/48213",
    "stats.example/e-commerce-q3",
)
FINDINGS = (
    "Boiling a litre takes 0.11 kWh.",
    "Half of all returns name the colour.",
    "Express shipping is bought by one customer in nine.",
    "Late parcels double the number of tickets.",
    "Compostable mailers cost 14 cents more.",
    "Scanners miss one item in four hundred.",
    "Refurbished goods sell within six days.",
    "Prices fell by three per cent since spring.",
    "Stocktakes find errors mostly in aisle four.",
)

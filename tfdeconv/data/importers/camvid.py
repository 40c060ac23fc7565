"""The classes of CamVid: indices as SegNet's copy has them, and the colours of the original."""

from pathlib import Path

from tfdeconv.data.importers.colour_tables import ClassTable

_INDICES = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist", "void"),
)
_COLOURS = {
    "Void": 0x000000,
    "Animal": 0x408040,
    "Archway": 0xC00080,
    "Bicyclist": 0x0080C0,
    "Bridge": 0x008040,
    "Building": 0x800000,
    "Car": 0x400080,
    "CartLuggagePram": 0x4000C0,
    "Child": 0xC08040,
    "Column_Pole": 0xC0C080,
    "Fence": 0x404080,
    "LaneMkgsDriv": 0x8000C0,
    "LaneMkgsNonDriv": 0xC00040,
    "Misc_Text": 0x808040,
    "MotorcycleScooter": 0xC000C0,
    "OtherMoving": 0x804040,
    "ParkingBlock": 0x40C080,
    "Pedestrian": 0x404000,
    "Road": 0x804080,
    "RoadShoulder": 0x8080C0,
    "Sidewalk": 0x0000C0,
    "SignSymbol": 0xC08080,
    "Sky": 0x808080,
    "SUVPickupTruck": 0x4080C0,
    "TrafficCone": 0x000040,
    "TrafficLight": 0x004040,
    "Train": 0xC04080,
    "Tree": 0x808000,
    "Truck_Bus": 0xC080C0,
    "Tunnel": 0x400040,
    "VegetationMisc": 0xC0C000,
    "Wall": 0x40C000,
}
TABLES = (
    ClassTable(Path("CamVid"), _INDICES),
    ClassTable(Path("CamVid"), tuple(_COLOURS), tuple(_COLOURS.values())),
)

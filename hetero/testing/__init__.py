"""For authors of vendors: a fake vendor to look at and to test against, and the conformance suite.

A vendor's own tests may import it; nothing that runs in production does.
"""

from hetero.testing.conformance import VendorConformance
from hetero.testing.fake import fake_device, fake_devices, fake_node, fake_vendor

__all__ = ["VendorConformance", "fake_device", "fake_devices", "fake_node", "fake_vendor"]

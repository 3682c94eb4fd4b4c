"""A hospital's PACS over DICOMweb: which there are, and what is asked of them."""

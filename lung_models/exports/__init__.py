"""A reading as others take it: PDF, PNG, tables, and DICOM objects for a PACS."""

"""Labels of chargers: the SHIP QR code with what a person has to read, in SVG, PDF, PNG and ZPL.

stock.py     sizes of labels and sheets that can be bought
rules.py     what the text in the QR code must be like (SHIP 12, SRIP 3)
symbol.py    the QR code's modules
fonts.py     widths and outlines of text
design.py    where everything is on a label, in millimetres
vector.py    a design as SVG or PDF, and sheets of many labels
raster.py    a design in a printer's dots: PNG and ZPL
files.py     formats by name, files in a folder, sending to a printer
scan.py      reads a QR code back from a picture
"""

"""Abbreviations whose full stop ends no sentence by itself, in lower case, by what they stand before.

Most are pysbd's (MIT); those of the South Asian press, of the law and of other languages were added.
"""

from __future__ import annotations

# Before a number or a letter: "vol. 3", "Art. 5", "App. B". Not "no.": "The answer is no. 5 others …" has two readings.
REFERENCES = frozenset(
    "abs annex ap app appx apt apts art arts bd bldg bldgs cap cf ch chap chaps cl cll cls col cols ed eds ex ext fig "
    "figs fol kap lit nos nr op p para paras pg pp pt pts rdnr re reg regs rn rs s sch sched sec secs sect ser ss "
    "st str sub-cl subs tab tel tk v ver vers vol vols vv z núm pág págs párr".split()
)
# Before whatever follows, unless that begins as sentences do.
IN_THE_MIDDLE = frozenset(
    "aprox approx avg bzw ca cca circa d.h e.g ej esp est etw evtl excl ggf i.e incl inkl insb kl max min mio mrd p.ej "
    "resp sog spec sq tsd u.a usf vgl viz vs z.b zzgl т.д т.е".split()
)
# Before a name, or before the next title; written with a capital.
TITLES = frozenset(
    "add addl adj adm adv advt amb asst att attny attorneys atty attys av avda ave avv barr bart blvd br brig bros "
    "c capt cdr cmdr cmr comdr comm const corp.sgt cpl ctte dep dept det dip dipl dir dist div dn doc dott dr dra drs "
    "engr ens er exmo fr frl ft gen gob gov govt gr gral hon hosp hr hrn inf ing ins insp jr.insp jt kh ks lcdo "
    "lic lt m mag maj md mdm me messrs mgr mlle m/s mlles mm mme mmes mohd mons mr mrs ms msgr mst mt mx no ofc on "
    "pfc pres prin priv prof profa profs pte pto pvt rep reps retd rev rr rt sen sens sfc sgt sh shri sig sigg "
    "smt soc sp spc spl spr sr sra sres srta st sta sto sub-insp sup supdt supt surg swami syed tte ul univ ven "
    "inż акад г-н им проф ул डा डॉ पं प्रो श्री অধ্যাপক ড ডা মো".split()
)
# What sentences begin with, and names do not.
STARTERS = frozenset(
    "a aber after all although am an and another as at auf because before both but by das der die during each ein "
    "eine el ella elle ellos en er es et every few for from gli he her here his how however i ich if il ils im in "
    "instead is it its la las last later le les lo los mais many most my nearly neither no nobody none nor not "
    "nous now of on once one only or other our pero police several she sie since so some still such that the "
    "their then there these they this those three today two un una und under until we what when where which while "
    "who why wir with yesterday yet you your в и на но о он она они это".split()
)
